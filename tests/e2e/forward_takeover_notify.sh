#!/bin/bash
# What a service manager hears of a takeover: RELOADING from the old process, then MAINPID, then READY from the new one, and never
# STOPPING. A takeover that fails ends in READY of the old one.
. "$(dirname "$0")/../support/lib.sh"
start_redis
"$PYTHON" -u - "$TEMP/notify" >"$TEMP/heard" <<'PYTHON' &
import socket, struct, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
manager.bind(sys.argv[1])
while True:
    text, ancillary, _, _ = manager.recvmsg(4096, 64)
    pid = struct.unpack("iii", ancillary[0][2])[0]
    for line in text.decode().splitlines():
        if line.startswith(("READY", "RELOADING", "MAINPID", "STOPPING")): print(pid, line)
PYTHON
PIDS+=("$! KILL")
eventually 5 test -S "$TEMP/notify"
export NOTIFY_SOCKET=$TEMP/notify
start_forward --pid-file "$TEMP/forward.pid" <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML
old=$FORWARD_PID
heard() { [ "$(cat "$TEMP/heard")" = "$1" ]; }
so_far="$old READY=1"
eventually 10 heard "$so_far"
succeed
so_far+=$'\n'"$old RELOADING=1"$'\n'"$old MAINPID=$FORWARD_PID"$'\n'"$FORWARD_PID READY=1"
eventually 10 heard "$so_far"
eventually 20 gone "$old"
cp "$TEMP/nlb.yaml" "$TEMP/good.yaml"
echo "listen: [{adress: nowhere}]" | write_config
kill -USR2 "$FORWARD_PID"
so_far+=$'\n'"$FORWARD_PID RELOADING=1"$'\n'"$FORWARD_PID READY=1"
eventually 10 heard "$so_far"
mv "$TEMP/good.yaml" "$TEMP/nlb.yaml"
assert_eq "$(redis_through ping)" PONG "after all that"

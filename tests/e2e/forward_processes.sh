#!/bin/bash
# --processes: several forwarders on one port under one parent, with one /metrics and one /status; one that dies is started again, HUP
# and TERM reach all, and the parent ends when the last has. The sessions of the others don't notice the one that died.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward --processes 3 --workers 1 <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT" "max_connections: 20000")
YAML
children() { pgrep -P "$FORWARD_PID" | wc -l; }

assert_eq "$(children)" 3 "processes"
redis-benchmark -p "$FORWARD_PORT" -t get -n 3000 -c 60 -k 0 -q >/dev/null
routed_by_all() { [ "$(metric nlb_routed_connections_total module=cache-1)" -ge 3000 ]; }
eventually 10 routed_by_all
assert_eq "$(curl -s "$ADMIN/status" | jq .processes)" 3 "processes in the status"
assert_eq "$(curl -s "$ADMIN/status" | jq '.listeners | length')" 1 "listeners in the status"

sessions='
import socket, sys
socks = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) for _ in range(60)]
def answers(sock):
    try:
        sock.sendall(b"PING\r\n")
        return sock.recv(16) == b"+PONG\r\n"
    except OSError:
        return False
print(sum(map(answers, socks)), flush=True)
for _ in sys.stdin:
    print(sum(map(answers, socks)), flush=True)'
mkfifo "$TEMP/ask"
"$PYTHON" -c "$sessions" "$FORWARD_PORT" <"$TEMP/ask" >"$TEMP/answered" & exec {ask}>"$TEMP/ask"
eventually 20 grep -qx 60 "$TEMP/answered"
victim=$(pgrep -P "$FORWARD_PID" | head -1)
number=$(tr '\0' ' ' <"/proc/$victim/cmdline" | sed 's/.*--process \([0-9]*\).*/\1/')
on_victim=$("$NLB_BIN/nlb-forward" status --admin "unix:$NLB_RUNTIME_DIR/forward-$FORWARD_PID-$number.admin" -o ndjson | jq .sessions.open)
kill -KILL "$victim"
back() { [ "$(children)" = 3 ] && ! kill -0 "$victim" 2>/dev/null; }
eventually 10 back
for _ in $(seq 20); do assert_eq "$(redis_through ping)" PONG "after a process died"; done
echo >&"$ask"
second_line() { [ "$(wc -l <"$TEMP/answered")" = 2 ]; }
eventually 20 second_line
assert_eq "$(tail -1 "$TEMP/answered")" $((60 - on_victim)) "sessions of the others that go on"
exec {ask}>&-

sed -i 's/cache-1/cache-2/' "$TEMP/nlb.yaml"
kill -HUP "$FORWARD_PID"
renamed() { redis_through ping >/dev/null; [ "$(metric nlb_routed_connections_total module=cache-2)" -gt 0 ]; }
eventually 10 renamed
pids=$(pgrep -P "$FORWARD_PID")
kill -TERM "$FORWARD_PID"
eventually 10 gone "$FORWARD_PID"
for pid in $pids; do assert_eq "$(ps -o stat= -p "$pid" || true)" "" "process $pid after TERM"; done

#!/bin/bash
# A listener's bounds: sessions beyond sessions_max and undecided clients beyond unfinished_max are refused at once, and counted.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward --workers 1 <<YAML
$(listener "sessions_max: 20, detect: {timeout: 30s, unfinished_max: 5}")
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 12 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
"$PYTHON" - "$FORWARD_PORT" <<'PYTHON' || fail "clients that say nothing"
import socket, sys
def client():
    sock = socket.socket()
    sock.settimeout(10)
    try:
        sock.connect(("127.0.0.1", int(sys.argv[1])))
    except ConnectionResetError:
        pass                                 # refused so fast that connect already says it
    return sock
def is_open(sock):
    sock.settimeout(0.5)
    try:
        return sock.recv(1) != b""
    except socket.timeout:
        return True
    except OSError:
        return False
mute = [client() for _ in range(9)]
still = sum(map(is_open, mute))
sys.exit(0 if still == 5 else "%d of 9 undecided clients are open, expected 5" % still)
PYTHON
exec {until}>&-
wait $holder || fail "a session was cut"
assert_eq "$(metric nlb_connections_refused_total listener=edge)" 4 "refused, as counted"
eventually 10 no_session_left
mkfifo "$TEMP/hold2"
peer hold "$FORWARD_PORT" 20 <"$TEMP/hold2" >"$TEMP/held2" & holder=$!
exec {until}<>"$TEMP/hold2"
eventually 20 grep -q held "$TEMP/held2"
assert_eq "$(peer send "$FORWARD_PORT" "$(printf 'PING\r\n' | hex)")" "- reset" "the 21st session"
exec {until}>&-
wait $holder || fail "a session within the bound was cut"

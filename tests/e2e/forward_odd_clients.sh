#!/bin/bash
# Clients that send nothing, one byte a second, garbage, or end half-way are let go in time and counted; the others notice nothing.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener "detect: {timeout: 2s}")
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 20 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"

assert_eq "$(peer send "$FORWARD_PORT" "$(printf '\x00\x01garbage that no protocol begins with\n' | hex)")" "- reset" "garbage"
ended() { [ "$(peer send "$FORWARD_PORT" "$1" 10)" != "- open" ] || fail "$2: still open after 10 seconds"; }
ended "" "a client that sends nothing"
ended "$(printf 'GET /half' | hex)" "a client that stops in the middle of its first packet"
"$PYTHON" - "$FORWARD_PORT" <<'PYTHON' || fail "one byte a second: still open after 10 seconds"
import socket, sys, time
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1)
end = time.monotonic() + 10
for byte in b"GET /a/long/path/that/never/ends":
    try:
        client.sendall(bytes([byte]))
        if client.recv(1) == b"":
            sys.exit(0)
    except socket.timeout:
        pass
    except OSError:
        sys.exit(0)
    if time.monotonic() > end:
        sys.exit(1)
PYTHON
"$PYTHON" -c "import socket; [socket.create_connection(('127.0.0.1', $FORWARD_PORT)).close() for _ in range(200)]"

eventually 10 logged 'select(.end == "unknown_protocol")'
eventually 10 logged 'select(.end == "detect_timeout" or .end == "silent")'
exec {until}>&-
wait $holder || fail "a session of another client was cut"
eventually 10 no_session_left

#!/bin/bash
# A reset is passed on as a reset, in both directions: nobody takes a cut stream for a complete one.
. "$(dirname "$0")/../support/lib.sh"
start_peer resets resetter -; resets=$PEER_PORT
start_peer watches resetter "$TEMP/seen"; watches=$PEER_PORT
start_forward <<YAML
$(listener)
modules:
$(module resets-1 redis "$resets")
$(module watches-1 http "$watches")
YAML

answer=$(peer send "$FORWARD_PORT" "$(printf 'PING\r\n' | hex)")
assert_eq "${answer#* }" reset "the end that the client sees when the module resets"
eventually 10 logged 'select(.module == "resets-1" and .end == "module_reset")'

"$PYTHON" - "$FORWARD_PORT" <<'PYTHON'
import socket, struct, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.sendall(b"GET / HTTP/1.1\r\n\r\n")
client.recv(16)
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
PYTHON
eventually 10 test -s "$TEMP/seen"
assert_eq "$(cat "$TEMP/seen")" reset "the end that the module sees when the client resets"
eventually 10 logged 'select(.module == "watches-1" and .end == "client_reset")'
eventually 10 no_session_left

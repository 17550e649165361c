#!/bin/bash
# A client that speaks after its silence was taken for MySQL's is detected again, and the greeting that it did not want goes to the next
# silent client instead of being abandoned. The server is a stub that greets late, so that the client is sure to speak first;
# one worker, since each keeps its own.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_stub <<'PYTHON'
import socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1])
def serve(client):
    time.sleep(0.4)
    client.sendall(bytes.fromhex("4a0000000a") + b"8.0.36\0" + b"x" * 66)
    print("bye" if not client.recv(64) else "answered")
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
PYTHON
start_forward --workers 1 <<YAML
$(listener "$SILENT")
modules:
$(module db-1 mysql "$STUB_PORT")
$(module cache-1 redis "$REDIS_PORT")
YAML

late=$("$PYTHON" - "$FORWARD_PORT" <<'PYTHON'
import socket, sys, time
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(0.2)                       # longer than the silence, shorter than the stub's greeting
client.sendall(b"PING\r\n")
print(client.recv(64))
PYTHON
)
assert_eq "$late" "b'+PONG\r\n'" "the answer to a client that spoke late"
assert_eq "$(metric nlb_greeted_connections_total what=kept)" 1 "connections kept"
eventually 5 test "$(wc -l <"$TEMP/stub.out")" = 1   # nobody has left the stub
greeting=$("$PYTHON" - "$FORWARD_PORT" <<'PYTHON'
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(client.recv(64)[5:11])
client.sendall(b"hello")
client.recv(64)
PYTHON
)
assert_eq "$greeting" "b'8.0.36'" "the greeting for the next silent client"
assert_eq "$(metric nlb_greeted_connections_total what=reused)" 1 "connections reused"
eventually 5 grep -q answered "$TEMP/stub.out"
assert_eq "$(grep -c bye "$TEMP/stub.out" || true)" 0 "handshakes abandoned"

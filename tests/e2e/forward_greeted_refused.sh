#!/bin/bash
# A connection that is kept for the next silent client is dropped when its server refuses it: no client is told of a refusal that was
# another's, since by then there may be room. The stub refuses the first connection, as MySQL does with too many, and greets the others.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_stub <<'PYTHON'
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1])
first = server.accept()[0]
time.sleep(0.4)
first.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)   # bytes and FIN in one segment
first.sendall(bytes.fromhex("17000000ff1004") + b"Too many connections")
first.close()
print("refused")
while True:
    client = server.accept()[0]
    client.sendall(bytes.fromhex("4a0000000a") + b"8.0.36\0" + b"x" * 66)
    print(client.recv(64))
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
time.sleep(0.2)                       # longer than the silence, shorter than the stub's refusal
client.sendall(b"PING\r\n")
print(client.recv(64))
PYTHON
)
assert_eq "$late" "b'+PONG\r\n'" "the answer to a client that spoke late"
assert_eq "$(metric nlb_greeted_connections_total what=kept)" 1 "connections kept"
eventually 5 grep -q refused "$TEMP/stub.out"
got=$("$PYTHON" - "$FORWARD_PORT" <<'PYTHON'
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(client.recv(64)[4:11])
client.sendall(b"hello")
client.recv(64)
PYTHON
)
assert_eq "$got" "b'\n8.0.36'" "the greeting for the next silent client"
assert_eq "$(metric nlb_greeted_connections_total what=reused)" 0 "connections reused"

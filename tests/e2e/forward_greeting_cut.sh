#!/bin/bash
# A server that ends in the middle of its greeting is passed over for the next one, and nothing of the cut greeting reaches the client.
# Two modules on one stub: whoever is asked first sends three bytes and ends.
. "$(dirname "$0")/../support/lib.sh"
start_stub <<'PYTHON'
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1])
greeting = bytes.fromhex("4a0000000a") + b"8.0.36\0" + b"x" * 66
first = server.accept()[0]
first.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)   # bytes and FIN in one segment
first.sendall(greeting[:3])
first.close()
second = server.accept()[0]
second.sendall(greeting)
print(second.recv(64))
PYTHON
start_forward --workers 1 <<YAML
$(listener "$SILENT")
modules:
$(module db-1 mysql "$STUB_PORT")
$(module db-2 mysql "$STUB_PORT")
YAML

got=$("$PYTHON" - "$FORWARD_PORT" <<'PYTHON'
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.settimeout(5)          # a greeting is waited for 10 s: the next server is asked because the first has ended
got = client.recv(4096)
client.sendall(b"hello")
while more := client.recv(4096): got += more
print(len(got), got[5:11])
PYTHON
) || fail "no greeting came"
assert_eq "$got" "78 b'8.0.36'" "the greeting of the second server"
assert_eq "$(tail -1 "$TEMP/stub.out")" "b'hello'" "what the second server got"
eventually 10 logged 'select(.tries == 2 and .bytes_down == 78)'

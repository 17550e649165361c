#!/bin/bash
# The first packet of every protocol arrives cut into single bytes: each client still gets its own server's answer.
. "$(dirname "$0")/../support/lib.sh"
start_peer http pong HTTP-server; http=$PEER_PORT
start_peer tls pong TLS-server; tls=$PEER_PORT
start_peer redis pong REDIS-server; redis=$PEER_PORT
start_peer postgresql pong POSTGRESQL-server; postgresql=$PEER_PORT
start_peer mongodb pong MONGODB-server; mongodb=$PEER_PORT
start_peer rtmp pong RTMP-server; rtmp=$PEER_PORT
start_forward <<YAML
$(listener)
modules:
$(for protocol in http redis postgresql mongodb rtmp; do module $protocol-1 $protocol "${!protocol}"; done)
$(module tls-1 tls "$tls" "service: secure")
routes: [{protocol: tls, service: secure}]
YAML

# A real ClientHello, as OpenSSL makes it.
hello=$(timeout 10 "$PYTHON" - <<'PYTHON'
import ssl
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    print(outgoing.read().hex())
PYTHON
)
drip() { peer drip "$FORWARD_PORT" "$2" "$(printf '%s-server' "$1" | hex)" || fail "$1 byte by byte"; }
drip HTTP "$(printf 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' | hex)"
drip TLS "$hello"
drip REDIS "$(printf '*1\r\n$4\r\nPING\r\n' | hex)"
drip REDIS "$(printf 'PING\r\n' | hex)"
drip POSTGRESQL 0000000804d2162f                                                        # SSLRequest
drip POSTGRESQL "0000001500030000$(printf 'user\0tester\0\0' | hex)"                     # StartupMessage
drip MONGODB "$("$PYTHON" "$SUPPORT/mongo_stub.py" --hello)"                             # OP_MSG
drip RTMP "03$(printf '00000000%.0s' 1 2)$(head -c 1528 /dev/zero | tr '\0' 'x' | hex)"  # C0 C1

#!/bin/bash
# Every picker spreads sessions as its name says: by weight, in turn, evenly, by client address.
. "$(dirname "$0")/../support/lib.sh"
for name in a b c; do start_peer $name pong $name; printf -v "port_$name" %s "$PEER_PORT"; done

count() { for name in a b c; do printf '%s ' "$(metric nlb_routed_connections_total module=$name)"; done; echo; }
serve() {   # serve PICKER CONCURRENT: 60 sessions by this picker, that many open at the same time; leaves the counts in $a $b $c
  start_forward <<YAML
$(listener)
services:
  redis: {picker: $1}
modules:
$(module a redis "$port_a" "weight: 200")
$(module b redis "$port_b")
$(module c redis "$port_c")
YAML
  "$PYTHON" - "$FORWARD_PORT" "$2" <<'PYTHON' || fail "a session got no answer"
import socket, sys
for _ in range(60 // int(sys.argv[2])):
    socks = []
    for _ in range(int(sys.argv[2])):
        socks.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10))
        socks[-1].sendall(b"*1\r\n$4\r\nPING\r\n")
        if not socks[-1].recv(16):
            sys.exit(1)
    for sock in socks:
        sock.close()
PYTHON
  read -r a b c < <(count)
  stop "$FORWARD_PID"
}
serve least_conn 60;  assert_eq "$a $b $c" "30 15 15" "least_conn, 60 at the same time, weights 2:1:1"
serve round_robin 1;  assert_eq "$a $b $c" "30 15 15" "round_robin, weights 2:1:1"
serve random 1;       assert_eq $((a + b + c)) 60; assert_between "$a" 16 44 "random, weight 2 of 4"; assert_between "$b" 4 28 "random, weight 1 of 4"
serve p2c 60;         assert_eq $((a + b + c)) 60; assert_between "$a" 20 40 "p2c, weight 2 of 4"; assert_between "$b" 8 22 "p2c, weight 1 of 4"
serve hash 1;         assert_eq "$((a + b + c)) $(((a > 0) + (b > 0) + (c > 0)))" "60 1" "hash: one client, one module"
serve latency 1;      assert_eq $((a + b + c)) 60 "latency"

#!/bin/bash
# A client that has said all it wants to say (shutdown) still gets its whole answer; with half_close: full so does a module.
. "$(dirname "$0")/../support/lib.sh"
start_peer sum sum; sum=$PEER_PORT
start_peer ender ender "$TEMP/after"; ender=$PEER_PORT
start_forward <<YAML
$(listener)
services:
  redis: {half_close: full}
  http: {half_close: full}
modules:
$(module sink-1 redis "$sum")
$(module ender-1 http "$ender")
YAML

peer half-close "$FORWARD_PORT" 0 >/dev/null || fail "an answer after the client's end"
peer half-close "$FORWARD_PORT" 5 >/dev/null || fail "an answer after 5 MiB and the client's end"
peer talk-on "$FORWARD_PORT" "$(printf 'GET / HTTP/1.1\r\n\r\n' | hex)" 1000000 || fail "the module's words before its end"
eventually 10 test -s "$TEMP/after"
assert_eq "$(cat "$TEMP/after")" 1000000 "bytes that the module got after its own end"
eventually 10 no_session_left

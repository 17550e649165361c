#!/bin/bash
# A client that has said all it wants to say (shutdown) still gets its whole answer; with half_close: full so does a module.
. "$(dirname "$0")/../support/lib.sh"
start_peer sum sum
start_forward <<YAML
$(listener)
services:
  redis: {half_close: full}
modules:
$(module sink-1 redis "$PEER_PORT")
YAML

peer half-close "$FORWARD_PORT" 0 >/dev/null || fail "an answer after the client's end"
peer half-close "$FORWARD_PORT" 5 >/dev/null || fail "an answer after 5 MiB and the client's end"
eventually 10 no_session_left

#!/bin/bash
# A client that vanished without a word (half-open): its session ends at the idle timeout, and an idle module connection goes with it.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
services:
  redis: {idle_timeout: 1s}
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

answer=$(peer send "$FORWARD_PORT" "$(printf 'PING\r\n' | hex)" 10)
assert_eq "$answer" "$(printf '+PONG\r\n' | hex) eof" "a session that falls silent"
eventually 10 logged 'select(.end == "idle_timeout")'
eventually 10 no_session_left
assert_eq "$(redis-cli -p "$REDIS_PORT" info clients | tr -d '\r' | sed -n 's/^connected_clients://p')" 1 "clients of the module: this one"

#!/bin/bash
# Small writes of a client reach the module as they come: Nagle's algorithm and the module's delayed acknowledgements, together 40 ms a
# write, never meet in the relay.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module redis-1 redis "$REDIS_PORT")
YAML

median=$(peer pieces "$FORWARD_PORT" 60)
assert_between "$median" 4 25 "milliseconds of a command in three writes"

#!/bin/bash
# A limit that delays lets every session wait for its turn, however long that is; those beyond its queue are refused at once.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward --workers 4 <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
limits:
  - {name: spaced, protocol: redis, rate: 10, burst: 1, action: delay, queue: {max: 25, timeout: 10ms}}
YAML

started=$(date +%s%N)
read -r served refused < <(peer burst "$FORWARD_PORT" 20 "$(printf 'PING\r\n' | hex)")
assert_eq "$served $refused" "20 0" "served and refused of 20 at the same moment"
assert_between $((($(date +%s%N) - started) / 1000000)) 1800 9000 "milliseconds for 20 sessions at 10 a second"
read -r served refused < <(peer burst "$FORWARD_PORT" 40 "$(printf 'PING\r\n' | hex)")
assert_between "$served" 25 28 "served of 40: a queue of 25, and what came in meanwhile"
assert_eq "$refused" $((40 - served)) "the others are refused with a reset"

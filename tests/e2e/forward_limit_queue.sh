#!/bin/bash
# A limit that queues lets later sessions wait their turn; those for whom the queue, which all workers share, has no place are refused at once.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward --workers 4 <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
limits:
  - {name: one-by-one, protocol: redis, rate: 5, burst: 1, action: queue, queue: {max: 8, timeout: 20s}}
YAML

started=$(date +%s%N)
read -r served refused < <(peer burst "$FORWARD_PORT" 20 "$(printf 'PING\r\n' | hex)")
assert_between "$served" 9 11 "served of 20 at the same moment: one at once, eight from the queue, and what came in meanwhile"
assert_eq "$refused" $((20 - served)) "the others are refused with a reset"
assert_between $((($(date +%s%N) - started) / 1000000)) 1500 8000 "milliseconds for 9 sessions at 5 a second"
assert_eq "$(metric nlb_routed_connections_total module=cache-1)" "$served" "sessions"
assert_between "$(metric nlb_ratelimit_denied_total bucket=one-by-one)" $((20 - served)) 19 "denied at first, as counted: waiting adds nothing"
assert_eq "$(metric nlb_queue_waiting)" 0 "waiting at the end"

#!/bin/bash
# Priority tiers and backups: a lower tier serves while it can, the next one when it is gone, the backup last; and back again.
. "$(dirname "$0")/../support/lib.sh"
free_port FIRST; free_port SECOND
start_redis backup; backup=$REDIS_PORT
redis_on() { run "$1" redis-server --port "$2" --bind 127.0.0.1 --save '' --appendonly no --dir "$TEMP"; wait_port "$2"; redis-cli -p "$2" set whoami "$1" >/dev/null; }
redis_on first "$FIRST"; first_pid=$PID
redis_on second "$SECOND"; second_pid=$PID
start_forward <<YAML
$(listener)
services:
  redis: {connect: {tries: 5}, eject: {failures: 1, for: 1s, max_percent: 100}}
modules:
$(module first redis "$FIRST")
$(module second redis "$SECOND" "priority: 1")
$(module last redis "$backup" "backup: true")
YAML

answers() { [ "$(redis_through get whoami)" = "$1" ]; }
for _ in $(seq 5); do answers first || fail "the first tier is up"; done
stop "$first_pid";  for _ in $(seq 5); do answers second || fail "the second tier takes over without a failure"; done
stop "$second_pid"; for _ in $(seq 5); do answers backup || fail "the backup takes over without a failure"; done
redis_on first "$FIRST"
eventually 20 answers first
assert_eq "$(metric nlb_routing_errors_total)" 0 "sessions that failed"

#!/bin/bash
# Many modules that fail their checks at the same moment become one new table or a few, not one each. A process that takes over begins with
# all of them healthy, and finds out for itself; so does each of several processes.
. "$(dirname "$0")/../support/lib.sh"
start_redis
free_port DEAD
start_forward --pid-file "$TEMP/forward.pid" --processes 2 --workers 1 <<YAML
$(listener)
services: {redis: {eject: {failures: 0}, connect: {tries: 1}}}
health: {interval: 500ms, timeout: 500ms, jitter: 0.01}
modules:
$(module live redis "$REDIS_PORT" "check: protocol")
$(for i in $(seq 100); do module "dead-$i" redis "$DEAD" "check: tcp"; done)
YAML
of_process() {   # of_process I FILTER: of its own status
  "$NLB_BIN/nlb-forward" status --admin "unix:$NLB_RUNTIME_DIR/forward-$FORWARD_PID-$1.admin" -o ndjson | jq "$2"
}
all_found() { [ "$(of_process "$1" '[.services[].modules[] | select(.health == "unhealthy")] | length')" = 100 ]; }
found_by_both() {
  for i in 0 1; do
    eventually 20 all_found $i
    assert_between "$(of_process $i .table_generation)" 2 20 "tables of process $i"
  done
  for _ in $(seq 20); do assert_eq "$(redis_through get whoami)" redis "the one that lives"; done
}
found_by_both
succeed
found_by_both

#!/bin/bash
# A PostgreSQL CancelRequest reaches the module that issued its key, though it comes on a connection of its own and the picker would
# send every other one elsewhere; and though another process has taken over since.
. "$(dirname "$0")/../support/lib.sh"
start_postgres; first=$POSTGRES_PORT
start_postgres; second=$POSTGRES_PORT
start_forward --pid-file "$TEMP/forward.pid" <<YAML
$(listener)
services: {postgresql: {picker: round_robin}}
modules:
$(module pg-1 postgresql "$first")
$(module pg-2 postgresql "$second")
YAML

for round in 1 2 3 4; do
  PGSSLMODE=disable psql -X -h 127.0.0.1 -p "$FORWARD_PORT" -U tester -d postgres -c 'select pg_sleep(60)' >"$TEMP/sleep.$round" 2>&1 &
  sleeper=$!
  sleepers() { psql_through "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'" "$1"; }
  asleep() { [ "$(($(sleepers "$first") + $(sleepers "$second")))" = 1 ]; }
  eventually 10 asleep
  [ $round -lt 3 ] || succeed             # the session stays in the old process, the CancelRequest comes to the new one
  kill -INT $sleeper                      # psql sends the CancelRequest
  code=0; wait $sleeper || code=$?
  assert_contains "$(cat "$TEMP/sleep.$round")" "canceling statement due to user request" "round $round"
done

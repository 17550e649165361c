#!/bin/bash
# psql through the port: plain, with TLS inside the PostgreSQL protocol, a large result, and a cancelled query.
. "$(dirname "$0")/../support/lib.sh"
start_postgres
start_forward <<YAML
$(listener)
modules:
$(module pg-1 postgresql "$POSTGRES_PORT")
YAML

assert_eq "$(psql_through 'select 6 * 7')" 42 "plain"
assert_eq "$(psql_through 'select ssl from pg_stat_ssl where pid = pg_backend_pid()' "$FORWARD_PORT" require)" t "TLS"
assert_eq "$(psql_through 'select 6 * 7' "$FORWARD_PORT" prefer)" 42 "SSLRequest first"
assert_eq "$(psql_through "select repeat('x', 1000) from generate_series(1, 20000)" | wc -c)" 20020000 "a result of 20 MB"

# Ctrl-C in psql sends a CancelRequest on a second connection.
PGSSLMODE=disable psql -X -q -h 127.0.0.1 -p "$FORWARD_PORT" -U tester -d postgres -c 'select pg_sleep(60)' 2>"$TEMP/cancelled" &
client=$!
eventually 10 eval '[ "$(psql_through "select count(*) from pg_stat_activity where query like '"'select pg_sleep%'"'" "$POSTGRES_PORT")" = 1 ]'
kill -INT $client
wait $client || true
assert_contains "$(cat "$TEMP/cancelled")" "canceling statement due to user request"

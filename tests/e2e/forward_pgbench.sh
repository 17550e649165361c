#!/bin/bash
# pgbench through the port, on kept connections, one connection a transaction, and over TLS; the bank's sums agree at the end.
. "$(dirname "$0")/../support/lib.sh"
start_postgres
start_forward <<YAML
$(listener)
modules:
$(module pg-1 postgresql "$POSTGRES_PORT")
YAML

bench() {   # bench SSLMODE OPTIONS...
  local mode=$1
  shift
  PGSSLMODE=$mode timeout 100 pgbench -h 127.0.0.1 -p "$FORWARD_PORT" -U tester "$@" postgres >"$TEMP/pgbench.log" 2>&1 \
    || fail "pgbench $*: $(tail -5 "$TEMP/pgbench.log")"
}
bench disable -i -q -s 2
bench disable -n -c 10 -j 2 -t 100
assert_contains "$(cat "$TEMP/pgbench.log")" "number of transactions actually processed: 1000/1000"
bench disable -n -C -c 5 -t 20
bench require -n -C -c 5 -t 10
bench disable -n -M prepared -S -c 10 -t 200
sum() { psql_through "select coalesce(sum($1), 0) from pgbench_$2"; }
expected=$(sum delta history)
for table in abalance:accounts bbalance:branches tbalance:tellers; do assert_eq "$(sum "${table%:*}" "${table#*:}")" "$expected" "$table"; done
assert_eq "$(psql_through 'select count(*) from pgbench_history')" 1150 "transactions"
assert_eq "$(metric nlb_routing_errors_total)" 0 "routing errors"

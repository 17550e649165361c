#!/bin/bash
# sysbench's transactions on MariaDB through the port: silent clients, on kept connections and on a new one each time, none refused.
. "$(dirname "$0")/../support/lib.sh"
start_mariadb
start_forward <<YAML
$(listener "$SILENT")
modules:
$(module db-1 mysql "$MARIADB_PORT")
YAML

mysql_through 'create database bench'
bench() {   # bench SCRIPT VERB OPTIONS...
  local script=$1 verb=$2
  shift 2
  timeout 100 sysbench "$script" --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port="$FORWARD_PORT" --mysql-user=tester --mysql-db=bench \
    --mysql-ssl=off --tables=2 --table-size=1000 --time=0 "$@" "$verb" >"$TEMP/sysbench.log" 2>&1 || fail "$script $verb: $(tail -5 "$TEMP/sysbench.log")"
}
bench oltp_read_write prepare
bench oltp_read_write run --threads=8 --events=400
assert_contains "$(cat "$TEMP/sysbench.log")" "total number of events:              400"
bench oltp_read_write cleanup
# A new connection for every query, eight at a time.
mariadb-slap --no-defaults -h 127.0.0.1 -P "$FORWARD_PORT" -u tester --skip-ssl --concurrency=8 --number-of-queries=200 --detach=1 \
  --create-schema=bench --query='select 1' >"$TEMP/slap.log" 2>&1 || fail "mariadb-slap: $(tail -3 "$TEMP/slap.log")"
assert_eq "$(mysql_through "show global status like 'Aborted_connects'" "$MARIADB_PORT" | cut -f2)" 0 "aborted handshakes"
assert_eq "$(metric nlb_routing_errors_total)" 0 "routing errors"

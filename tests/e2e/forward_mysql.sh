#!/bin/bash
# The MariaDB client says nothing until the server has greeted it: its silence routes it, after 50 ms, beside protocols that speak first.
. "$(dirname "$0")/../support/lib.sh"
start_mariadb
start_redis
start_forward <<YAML
$(listener "$SILENT")
modules:
$(module db-1 mysql "$MARIADB_PORT")
$(module cache-1 redis "$REDIS_PORT")
YAML

assert_eq "$(mysql_through 'select 6 * 7')" 42 "a query"
assert_eq "$(mysql_through "select repeat('x', 1000) from mysql.seq_1_to_20000" | wc -c)" 20020000 "a result of 20 MB"
assert_eq "$(redis_through get whoami)" redis "a client that speaks first on the same port"
for _ in $(seq 20); do mysql_through 'select 1' >/dev/null; done
eventually 10 logged 'select(.protocol == "mysql" and .module == "db-1" and .detect_us >= 45000)'
# No handshake was abandoned: each counts against max_connect_errors, and at the end the server would lock this host out.
assert_eq "$(mysql_through "show global status like 'Aborted_connects'" "$MARIADB_PORT" | cut -f2)" 0 "aborted handshakes"

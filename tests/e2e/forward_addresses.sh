#!/bin/bash
# Listeners and modules on IPv6 and Unix sockets, several addresses on one listener, and a listener whose protocol is fixed.
. "$(dirname "$0")/../support/lib.sh"
start_redis
free_port SECOND_PORT; free_port FIXED_PORT
run unix-redis redis-server --port 0 --unixsocket "$TEMP/redis.sock" --save '' --appendonly no --dir "$TEMP"
eventually 20 test -S "$TEMP/redis.sock"
redis-cli -s "$TEMP/redis.sock" set whoami unix-redis >/dev/null
start_mariadb
start_forward <<YAML
listen:
  - {name: edge, address: ["[::1]:$FORWARD_PORT", "127.0.0.1:$SECOND_PORT", "unix:$TEMP/edge.sock"]}
  - {name: database, address: "127.0.0.1:$FIXED_PORT", protocol: mysql}
modules:
  - {name: cache-1, protocol: redis, address: "unix:$TEMP/redis.sock"}
$(module db-1 mysql "$MARIADB_PORT")
YAML

assert_eq "$(timeout 10 redis-cli -h ::1 -p "$FORWARD_PORT" get whoami)" unix-redis "IPv6"
assert_eq "$(timeout 10 redis-cli -p "$SECOND_PORT" get whoami)" unix-redis "a second address"
assert_eq "$(timeout 10 redis-cli -s "$TEMP/edge.sock" get whoami)" unix-redis "a Unix socket"
assert_eq "$(mysql_through 'select 6 * 7' "$FIXED_PORT")" 42 "a listener of one protocol"
eventually 10 logged 'select(.client | startswith("[::1]:"))'
eventually 10 logged 'select(.listener == "database" and .protocol == "mysql" and .detect_us < 40000)'   # no wait for silence

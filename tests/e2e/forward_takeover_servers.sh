#!/bin/bash
# Real servers' own loads through the port while nlb-forward is taken over and reloaded, again and again: pgbench, sysbench, redis-benchmark,
# and checksummed transfers of a gigabyte with a fast and a slow reader. Nothing fails, nothing is cut, every transaction is there.
. "$(dirname "$0")/../support/lib.sh"
start_postgres; start_mariadb; start_redis
start_peer stream stream; stream=$PEER_PORT
start_forward --pid-file "$TEMP/forward.pid" <<YAML
$(listener "silent: {after: 500ms, protocol: mysql}")
services: {postgresql: {drain_timeout: 250s}, mysql: {drain_timeout: 250s}, redis: {drain_timeout: 250s}, http: {drain_timeout: 250s}}
modules:
$(module pg-1 postgresql "$POSTGRES_PORT")
$(module db-1 mysql "$MARIADB_PORT")
$(module cache-1 redis "$REDIS_PORT" "max_connections: 20000")
$(module source-1 http "$stream")
YAML
export PGSSLMODE=disable
pgbench -h 127.0.0.1 -p "$FORWARD_PORT" -U tester -i -q -s 2 postgres >"$TEMP/pgbench.log" 2>&1 || fail "pgbench -i"
mysql_through 'create database bench'
sysbench() { command sysbench oltp_read_write --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port="$FORWARD_PORT" --mysql-user=tester \
  --mysql-db=bench --mysql-ssl=off --tables=2 --table-size=1000 --time=0 "$@"; }
sysbench prepare >"$TEMP/sysbench.log" 2>&1 || fail "sysbench prepare"

declare -A job
start_job() { local name=$1; shift; timeout 250 "$@" >"$TEMP/$name.log" 2>&1 & job[$name]=$!; }
sysbench_run() { sysbench --threads=4 --events=1500 run; }
export -f sysbench; export FORWARD_PORT
start_job kept pgbench -h 127.0.0.1 -p "$FORWARD_PORT" -U tester -n -c 4 -t 700 postgres
start_job fresh pgbench -h 127.0.0.1 -p "$FORWARD_PORT" -U tester -n -C -c 4 -t 200 postgres
start_job sysbench bash -c "$(declare -f sysbench_run); sysbench_run"
start_job slap mariadb-slap --no-defaults -h 127.0.0.1 -P "$FORWARD_PORT" -u tester --skip-ssl --concurrency=4 --number-of-queries=320 --detach=1 \
  --create-schema=bench --query='select 1'
start_job redis redis-benchmark -p "$FORWARD_PORT" -n 200000 -c 20 -t set,get -q
start_job redis-fresh redis-benchmark -p "$FORWARD_PORT" -n 60000 -c 20 -k 0 -t ping_mbulk -q
start_job fast "$PYTHON" "$SUPPORT/peer.py" download "$FORWARD_PORT" 1024
start_job slow "$PYTHON" "$SUPPORT/peer.py" download "$FORWARD_PORT" 1024 3
for round in $(seq 8); do
  succeed
  sed -i "s/cache-[0-9]*/cache-$((round + 1))/" "$TEMP/nlb.yaml"
  kill -HUP "$FORWARD_PID"
  renamed() { [ "$(curl -s "$ADMIN/status" | jq -r '.services[] | select(.name == "redis").modules[0].name')" = "cache-$((round + 1))" ]; }
  eventually 10 renamed
done
for name in "${!job[@]}"; do wait "${job[$name]}" || fail "$name: $(tail -5 "$TEMP/$name.log")"; done
for name in redis redis-fresh; do ! grep -i error "$TEMP/$name.log" || fail "$name"; done
assert_contains "$(cat "$TEMP/kept.log")" "number of transactions actually processed: 2800/2800"
assert_contains "$(cat "$TEMP/fresh.log")" "number of transactions actually processed: 800/800"
assert_contains "$(cat "$TEMP/sysbench.log")" "total number of events:              1500"
assert_eq "$(psql_through 'select count(*) from pgbench_history')" 3600 "transactions"
assert_eq "$(psql_through 'select coalesce(sum(delta), 0) from pgbench_history')" "$(psql_through 'select sum(abalance) from pgbench_accounts')" "the bank's sums"
assert_eq "$(cut -d' ' -f2 "$TEMP/slow.log")" $((1024 << 20)) "bytes of the slow transfer"
assert_eq "$(mysql_through "show global status like 'Aborted_connects'" "$MARIADB_PORT" | cut -f2)" 0 "aborted handshakes"

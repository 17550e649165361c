#!/bin/bash
# One port, six protocols, all at the same time: every client gets its own server's answer, and the log says what each one was.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_redis
start_postgres
start_mariadb
start_mongo_stub
# 24 clients start at once here: half a second of silence, so that one which has to wait for a processor is not taken for MySQL's.
start_forward <<YAML
$(listener "silent: {after: 500ms, protocol: mysql}")
modules:
$(module web-1 http "$HTTP_PORT")
$(module tls-1 tls "$HTTPS_PORT")
$(module cache-1 redis "$REDIS_PORT")
$(module pg-1 postgresql "$POSTGRES_PORT")
$(module db-1 mysql "$MARIADB_PORT")
$(module docs-1 mongodb "$MONGO_PORT")
$(module media-1 rtmp "$RTMP_PORT")
YAML

http() { assert_eq "$(http_through "http://127.0.0.1:$FORWARD_PORT/")" "hello from web" HTTP; }
tls() { assert_eq "$(http_through --cacert "$TEMP/cert.pem" "https://localhost:$FORWARD_PORT/")" "hello from web" HTTPS; }
redis() { assert_eq "$(redis_through get whoami)" redis Redis; }
postgresql() { assert_eq "$(psql_through 'select 6 * 7' "$FORWARD_PORT" "$1")" 42 "PostgreSQL, sslmode $1"; }
mysql() { assert_eq "$(mysql_through 'select 6 * 7')" 42 MySQL; }
mongodb() {
  timeout 30 "$PYTHON" -c 'import sys, pymongo; pymongo.MongoClient("127.0.0.1", int(sys.argv[1])).admin.command("ping")' "$FORWARD_PORT"
}
rtmp() {
  timeout 30 ffmpeg -nostdin -v error -f lavfi -i testsrc=size=160x120:rate=25 -t 2 -c:v flv -f flv \
    "rtmp://127.0.0.1:$FORWARD_PORT/live/$1" >"$TEMP/ffmpeg$1" 2>&1 || fail "RTMP: $(cat "$TEMP/ffmpeg$1")"
}
pids=()
for round in 1 2 3; do
  for client in http tls redis "postgresql disable" "postgresql require" mysql mongodb "rtmp $round"; do
    $client & pids+=($!)
  done
done
for pid in "${pids[@]}"; do wait "$pid" || fail "a client got no answer, or a wrong one"; done
eventually 20 no_session_left
seen() { jq -r '.protocol + " " + .module' "$ACCESS_LOG" | sort -u | tr '\n' ','; }
expected="http web-1,mongodb docs-1,mysql db-1,postgresql pg-1,redis cache-1,rtmp media-1,tls tls-1,"
all_seen() { [ "$(seen)" = "$expected" ]; }
eventually 10 all_seen   # the log is written in batches

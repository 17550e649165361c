#!/bin/bash
# quickstart.sh [--keep]: shows the whole thing on one machine in a minute. Installs what is missing (Debian packages), builds
# Release, starts nlb-forward on one port in front of six small real servers, talks to each of them through that one port with
# its own client, prints what was detected, where it went and what came back, and leaves nothing running (--keep leaves it up).
# Where NLB_BIN names a folder with the programs, they are taken from there and nothing is installed or built.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")/..
keep=false
case "${1:-}" in
  "") ;;
  --keep) keep=true ;;
  *) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
esac

cd "$here"
if [ -z "${NLB_BIN:-}" ]; then
  tests/support/install.sh build test
  cmake --workflow --preset release >&2
fi
. tests/support/lib.sh

echo "starting nginx (HTTP, HTTPS, RTMP), Redis, PostgreSQL, MariaDB and a MongoDB stand-in, each on a free port ..." >&2
start_nginx nginx
start_redis
start_postgres
start_mariadb
start_mongo_stub
start_forward <<YAML
$(listener "silent: {after: 200ms, protocol: mysql}")
modules:
$(module nginx-http http "$HTTP_PORT")
$(module nginx-https tls "$HTTPS_PORT" "service: https")
$(module nginx-rtmp rtmp "$RTMP_PORT")
$(module redis-1 redis "$REDIS_PORT")
$(module postgres-1 postgresql "$POSTGRES_PORT")
$(module mariadb-1 mysql "$MARIADB_PORT")
$(module mongo-1 mongodb "$MONGO_PORT")
routes:
  - {protocol: tls, service: https}
YAML

# One real client each. Every answer comes through port $FORWARD_PORT.
port=$FORWARD_PORT
ask_http() { curl -sS --max-time 20 "http://127.0.0.1:$port/"; }
ask_tls() { curl -sS --max-time 20 --cacert "$TEMP/cert.pem" "https://localhost:$port/"; }
ask_redis() { echo "whoami = $(redis-cli -p "$port" get whoami)"; }
ask_postgresql() { psql_through "select 'PostgreSQL ' || current_setting('server_version')"; }
ask_mysql() { mysql_through 'select version()'; }
ask_mongodb() {
  timeout 20 "$PYTHON" -c 'import sys, pymongo
client = pymongo.MongoClient("127.0.0.1", int(sys.argv[1]), serverSelectionTimeoutMS=10000)
client.demo.things.insert_one({"name": "first"})
print("found", client.demo.things.find_one({"name": "first"})["name"])' "$port"
}
ask_rtmp() {
  local url=rtmp://127.0.0.1:$port/live/demo publisher
  ffmpeg -nostdin -v error -re -f lavfi -i testsrc=size=160x120:rate=25 -t 60 -c:v flv -g 5 -f flv "$url" >/dev/null 2>&1 &
  publisher=$!
  for _ in $(seq 20); do
    if timeout 10 ffmpeg -nostdin -v error -analyzeduration 500000 -i "$url" -frames:v 10 -f null - >/dev/null 2>&1; then
      echo "10 frames of video played"
      break
    fi
  done
  kill $publisher
  wait $publisher 2>/dev/null || true
}

declare -A client=([http]=curl [tls]="curl (HTTPS)" [redis]=redis-cli [postgresql]=psql [mysql]=mysql [mongodb]=pymongo [rtmp]=ffmpeg)
declare -A expected=([http]="hello from nginx" [tls]="hello from nginx" [redis]="whoami = redis" [postgresql]="PostgreSQL 1" [mysql]=MariaDB
  [mongodb]="found first" [rtmp]="10 frames")
format='%-13s %-11s %-12s %s\n'
# shellcheck disable=SC2059
row() { printf "$format" "$@"; }
echo
echo "everything through 127.0.0.1:$port"
row CLIENT DETECTED MODULE ANSWER
failed=0
for protocol in http tls redis postgresql mysql mongodb rtmp; do
  answer=$("ask_$protocol" 2>&1 | head -1) || true
  seen() { logged "select(.protocol == \"$protocol\")"; }
  eventually 10 seen
  read -r detected module < <(jq -r "select(.protocol == \"$protocol\") | \"\(.protocol) \(.module)\"" "$ACCESS_LOG" | tail -1)
  [ "$detected" = "$protocol" ] && [[ "$answer" == *"${expected[$protocol]}"* ]] || { answer="WRONG: ${answer:-(no answer)}"; failed=1; }
  row "${client[$protocol]}" "$detected" "$module" "$answer"
done
echo

if $keep; then
  trap - EXIT
  {
    for entry in "${PIDS[@]}"; do echo "kill -${entry#* } ${entry% *}"; done
    for entry in "${PIDS[@]}"; do echo "tail --pid ${entry% *} -f /dev/null"; done   # waits until it has ended
    echo "rm -r $TEMP"
  } >"$TEMP/stop.sh"
  cat <<TEXT
left running (the port is $port, the files are in $TEMP):
  $NLB_BIN/nlb-forward status --config $TEMP/nlb.yaml
  curl $ADMIN/metrics
  curl $ADMIN/status
  tail -f $ACCESS_LOG
  curl http://127.0.0.1:$port/    redis-cli -p $port ping    psql -h 127.0.0.1 -p $port -U tester postgres
to end it: bash $TEMP/stop.sh
TEXT
fi
exit $failed

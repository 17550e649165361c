#!/bin/bash
# The old process serves its sessions to their end: transfers under way arrive whole, /status of the new one says how many there are, USR1
# reopens the access log of both. At its drain timeout what is left is ended, and TERM to both is no second TERM to the old one.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_redis
head -c 600000 /dev/urandom >"$TEMP/web/files/large"
start_forward --pid-file "$TEMP/forward.pid" <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT")
$(module cache-1 redis "$REDIS_PORT")
YAML
old=$FORWARD_PID
pids=()
for i in $(seq 10); do
  http_through -o "$TEMP/got$i" "http://127.0.0.1:$FORWARD_PORT/slow/large" & pids+=($!)   # 3 seconds at 200 kB a second
done
eventually 10 metric_is 10 nlb_active_connections module=web-1 protocol=http
succeed
reports() { [ "$(curl -s "$ADMIN/status" | jq -c "[.old_generations[] | select(.pid == $old) | .sessions]")" = "[$1]" ]; }
eventually 5 reports 10
mv "$ACCESS_LOG" "$ACCESS_LOG.1"
kill -USR1 "$FORWARD_PID"
eventually 5 test -e "$ACCESS_LOG"
for pid in "${pids[@]}"; do wait "$pid" || fail "a transfer was cut"; done
for i in $(seq 10); do cmp -s "$TEMP/got$i" "$TEMP/web/files/large" || fail "transfer $i arrived changed"; done
eventually 10 gone "$old"
code=0; wait "$old" || code=$?
assert_eq $code 0 "exit code"
all_logged() { [ "$(cat "$ACCESS_LOG" | jq -c 'select(.module == "web-1")' | wc -l)" = 10 ]; }   # in the new file: both processes have it
eventually 5 all_logged
eventually 5 metric_is 0 nlb_old_generations

old=$FORWARD_PID
mkfifo "$TEMP/session"
timeout 60 redis-cli -p "$FORWARD_PORT" <"$TEMP/session" >"$TEMP/out" 2>&1 &
exec {session}>"$TEMP/session"
echo "get whoami" >&"$session"; eventually 10 grep -q redis "$TEMP/out"
succeed
kill -TERM "$old"                        # as a service manager tells every process of the service
eventually 50 gone "$old"                # the longest drain timeout of all services, 30 s by default
eventually 5 logged 'select(.module == "cache-1" and .end == "drained")'
exec {session}>&-

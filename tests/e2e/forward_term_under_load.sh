#!/bin/bash
# TERM while transfers run: none is cut, /readyz says draining, new connections are refused, the process ends with 0 after the last one.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
head -c 600000 /dev/urandom >"$TEMP/web/files/large"
start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT")
YAML

url=http://127.0.0.1:$FORWARD_PORT/slow/large   # 3 seconds at 200 kB a second
pids=()
for i in $(seq 20); do
  http_through -o "$TEMP/got$i" "$url" & pids+=($!)
done
eventually 10 metric_is 20 nlb_active_connections module=web-1 protocol=http
kill -TERM "$FORWARD_PID"
refused() { ! http_through "http://127.0.0.1:$FORWARD_PORT/"; }
eventually 5 refused
assert_eq "$(curl -s -o /dev/null -w '%{http_code}' "$ADMIN/readyz")" 503 "readiness while draining"
for pid in "${pids[@]}"; do wait "$pid" || fail "a transfer was cut"; done
for i in $(seq 20); do cmp -s "$TEMP/got$i" "$TEMP/web/files/large" || fail "transfer $i arrived changed"; done
code=0; wait "$FORWARD_PID" || code=$?
assert_eq $code 0 "exit code"

#!/bin/bash
# 20 takeovers under full load, one after the other: no connection fails, new ones and kept ones alike, and sessions from before the first
# one go on. Every old process ends by itself once its sessions have.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_redis
start_forward --pid-file "$TEMP/forward.pid" <<YAML
$(listener)
services: {http: {drain_timeout: 300s}, redis: {drain_timeout: 300s}}
modules:
$(module web-1 http "$HTTP_PORT")
$(module cache-1 redis "$REDIS_PORT" "max_connections: 20000")
YAML
first=$FORWARD_PID olds=()

mkfifo "$TEMP/hold"
PEER_TIMEOUT=280 peer hold "$FORWARD_PORT" 50 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
url=http://127.0.0.1:$FORWARD_PORT/
wrk -t1 -c16 -d280 -H 'Connection: close' "$url" >"$TEMP/close" & closing=$!
wrk -t1 -c8 -d280 "$url" >"$TEMP/keep" & keeping=$!
PEER_TIMEOUT=280 peer load "$FORWARD_PORT" "$TEMP/enough" >"$TEMP/load" & load=$!

for _ in $(seq 20); do
  olds+=("$FORWARD_PID")
  succeed
done
assert_eq "$(curl -s "$ADMIN/status" | jq '.old_generations | length > 0')" true "old generations in the status"
touch "$TEMP/enough"
wait $load || fail "a request failed during a takeover"
kill -INT $closing $keeping
wait $closing || fail "wrk, a connection per request"
wait $keeping || fail "wrk, kept connections"
for kind in close keep; do
  ! grep -E 'Socket errors|Non-2xx' "$TEMP/$kind" || fail "wrk, $kind: $(cat "$TEMP/$kind")"
  assert_between "$(awk '/requests in/ { print $1 }' "$TEMP/$kind")" 1000 1000000000 "requests, $kind"
done
exec {until}>&-
wait $holder || fail "a session from before the first takeover was cut"
wait "$first" || fail "the first process ended with $?"
for pid in "${olds[@]}"; do eventually 20 gone "$pid"; done
assert_eq "$(curl -s "$ADMIN/status" | jq '.old_generations | length')" 0 "old generations in the end"
! grep -qE 'panic|did not take over|takeover is refused' "$TEMP/forward.log" || fail "$(grep -E 'did not take|is refused' "$TEMP/forward.log")"

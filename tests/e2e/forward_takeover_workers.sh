#!/bin/bash
# Takeovers between processes with different numbers of workers, under load: every accept queue of the old ones is still accepted from.
# --takeover does what USR2 does; without a process to take over from it starts as usual.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_forward --takeover --pid-file "$TEMP/forward.pid" --workers 2 <<YAML
listen: [{name: edge, address: ["127.0.0.1:$FORWARD_PORT", "unix:$TEMP/edge"]}]
services: {http: {drain_timeout: 120s}}
modules:
$(module web-1 http "$HTTP_PORT")
YAML
PEER_TIMEOUT=100 peer load "$FORWARD_PORT" "$TEMP/enough" >"$TEMP/load" & load=$!
wrk -t1 -c16 -d100 -H 'Connection: close' "http://127.0.0.1:$FORWARD_PORT/" >"$TEMP/close" & closing=$!
file=$(stat -c %i "$TEMP/edge")
for workers in 5 1 4 3 2; do
  take_over --workers $workers
  assert_eq "$(curl -s "$ADMIN/status" | jq .workers)" $workers "workers"
  for _ in 1 2 3; do assert_eq "$(http_through --unix-socket "$TEMP/edge" http://localhost/)" "hello from web" "the unix socket"; done
  assert_eq "$(stat -c %i "$TEMP/edge")" "$file" "the unix socket's file"
done
# Never more queues than the most workers there were, and none that nobody accepts from.
assert_eq "$(ss -ltnH "sport = :$FORWARD_PORT" | wc -l)" 5 "listening sockets"
for _ in $(seq 300); do echo "url = http://127.0.0.1:$FORWARD_PORT/"; done >"$TEMP/urls"
assert_eq "$(http_through -H 'Connection: close' -K "$TEMP/urls" | sort -u)" "hello from web" "connections on all of them"
touch "$TEMP/enough"
wait $load || fail "a request failed during a takeover"
kill -INT $closing; wait $closing || fail "wrk"
! grep -E 'Socket errors|Non-2xx' "$TEMP/close" || fail "wrk: $(cat "$TEMP/close")"

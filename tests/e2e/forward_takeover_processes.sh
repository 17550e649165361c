#!/bin/bash
# Takeovers of several processes under one parent, under load: to other numbers of them, down to one and up again. A failing new set
# leaves the old one as it was.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_redis
start_forward --processes 2 --workers 1 --pid-file "$TEMP/forward.pid" <<YAML
listen: [{name: edge, address: ["127.0.0.1:$FORWARD_PORT", "unix:$TEMP/edge"]}]
services: {http: {drain_timeout: 120s}, redis: {drain_timeout: 120s}}
modules:
$(module web-1 http "$HTTP_PORT")
$(module cache-1 redis "$REDIS_PORT")
YAML
children() { pgrep -P "$FORWARD_PID" | wc -l; }
first=$FORWARD_PID
mkfifo "$TEMP/hold"
PEER_TIMEOUT=200 peer hold "$FORWARD_PORT" 20 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
wrk -t1 -c16 -d200 -H 'Connection: close' "http://127.0.0.1:$FORWARD_PORT/" >"$TEMP/close" & closing=$!
PEER_TIMEOUT=200 peer load "$FORWARD_PORT" "$TEMP/enough" >"$TEMP/load" & load=$!

succeed; assert_eq "$(children)" 2 "processes after USR2"
take_over --processes 3 --workers 1; assert_eq "$(children)" 3 "processes"
take_over --workers 2; assert_eq "$(children)" 0 "one process"
take_over --processes 2 --workers 1; assert_eq "$(children)" 2 "processes again"
assert_eq "$(http_through --unix-socket "$TEMP/edge" http://localhost/)" "hello from web" "the unix socket"
touch "$TEMP/enough"
wait $load || fail "a request failed during a takeover"
kill -INT $closing; wait $closing || fail "wrk"
! grep -E 'Socket errors|Non-2xx' "$TEMP/close" || fail "wrk: $(cat "$TEMP/close")"
victim=$(pgrep -P "$FORWARD_PID" | head -1)
kill -KILL "$victim"
back() { ! alive "$victim" && [ "$(children)" = 2 ] && [ "$(curl -sf --max-time 5 "$ADMIN/status" | jq .processes)" = 2 ]; }   # has read the configuration
eventually 20 back
for _ in $(seq 10); do assert_eq "$(http_through --unix-socket "$TEMP/edge" http://localhost/)" "hello from web" "the unix socket, after a crash"; done
echo >&"$until"
wait $holder || fail "a session from before the first takeover was cut"
wait "$first" || fail "the first parent ended with $?"

cp "$TEMP/nlb.yaml" "$TEMP/good.yaml"
sed -i "s/\"127.0.0.1:$FORWARD_PORT\"/&, \"127.0.0.1:$REDIS_PORT\"/" "$TEMP/nlb.yaml"   # where redis-server listens
assert_exit 4 "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --processes 2 --workers 1 --takeover
mv "$TEMP/good.yaml" "$TEMP/nlb.yaml"
for _ in $(seq 20); do assert_eq "$(redis_through get whoami)" redis "after a failed takeover"; done
succeed
assert_eq "$(redis_through get whoami)" redis "after the last takeover"

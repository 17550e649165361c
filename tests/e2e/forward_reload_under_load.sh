#!/bin/bash
# 20 HUPs while requests run: the new configuration is in force, no request fails, no open session is cut; a bad one is refused whole.
. "$(dirname "$0")/../support/lib.sh"
start_nginx old; old=$HTTP_PORT
start_nginx new; new=$HTTP_PORT
start_redis
config() { printf '%s\n' "$(listener)" "modules:" "$(module "web-$1" http "$2")" "$(module cache-1 redis "$REDIS_PORT")"; }
config old "$old" >"$TEMP/first.yaml"
start_forward <"$TEMP/first.yaml"

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 50 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
peer load "$FORWARD_PORT" "$TEMP/enough" >"$TEMP/load1" & load1=$!
peer load "$FORWARD_PORT" "$TEMP/enough" >"$TEMP/load2" & load2=$!

answers() { [ "$(http_through "http://127.0.0.1:$FORWARD_PORT/")" = "hello from $1" ]; }
for _ in $(seq 10); do
  config new "$new" | write_config; kill -HUP "$FORWARD_PID"; eventually 10 answers new
  config old "$old" | write_config; kill -HUP "$FORWARD_PID"; eventually 10 answers old
done
echo "listen: [{adress: nowhere}]" | write_config
kill -HUP "$FORWARD_PID"
eventually 10 grep -q 'reload refused' "$TEMP/forward.log"
answers old || fail "the old configuration does not serve after a refused reload"

touch "$TEMP/enough"
wait $load1 || fail "a request failed during a reload"
wait $load2 || fail "a request failed during a reload"
exec {until}>&-
wait $holder || fail "a session was cut by a reload"
assert_between "$(cat "$TEMP/load1")" 100 100000000 "requests done"

#!/bin/bash
# 20 HUPs under load, each with another list of ports: the port that stays loses no connection, those that come and go never answer wrongly.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
free_port SECOND_PORT; free_port THIRD_PORT
config() {   # config PORT...: a listener for each
  echo "listen:"
  for port in "$@"; do echo "  - {name: \"on-$port\", address: \"127.0.0.1:$port\"}"; done
  printf '%s\n' modules: "$(module web-1 http "$HTTP_PORT")"
}
config "$FORWARD_PORT" "$SECOND_PORT" >"$TEMP/first.yaml"
start_forward <"$TEMP/first.yaml"
wrk -t1 -c16 -d200 -H 'Connection: close' "http://127.0.0.1:$FORWARD_PORT/" >"$TEMP/close" & closing=$!
PEER_TIMEOUT=200 peer load "$FORWARD_PORT" "$TEMP/enough" keep >"$TEMP/keep" & keeping=$!
answers() { [ "$(http_through "http://127.0.0.1:$1/" 2>/dev/null)" = "hello from web" ]; }
refuses() { ! answers "$1"; }
for _ in $(seq 10); do
  config "$THIRD_PORT" "$FORWARD_PORT" | write_config; kill -HUP "$FORWARD_PID"; eventually 10 answers "$THIRD_PORT"; eventually 10 refuses "$SECOND_PORT"
  config "$FORWARD_PORT" "$SECOND_PORT" | write_config; kill -HUP "$FORWARD_PID"; eventually 10 answers "$SECOND_PORT"; eventually 10 refuses "$THIRD_PORT"
done
assert_eq "$(curl -s "$ADMIN/status" | jq .reloads)" 20 "reloads"
touch "$TEMP/enough"
wait $keeping || fail "a request on a kept connection failed"
kill -INT $closing; wait $closing || fail "wrk"
! grep -E 'Socket errors|Non-2xx' "$TEMP/close" || fail "wrk: $(cat "$TEMP/close")"

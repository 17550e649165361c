#!/bin/bash
# At most so many sessions per client at the same time: one more is refused, and when one ends there is room again.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
limits:
  - {name: per-client, per: client, connections: 10}
YAML

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 10 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
for _ in $(seq 5); do
  assert_eq "$(peer send "$FORWARD_PORT" "$(printf 'PING\r\n' | hex)")" "- reset" "the eleventh session"
done
assert_eq "$(metric nlb_ratelimit_denied_total bucket=per-client)" 5 "denied, as counted"
exec {until}>&-
wait $holder || fail "an admitted session was cut"
room() { [ "$(redis_through ping)" = PONG ]; }
eventually 10 room

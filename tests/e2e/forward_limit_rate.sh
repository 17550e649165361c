#!/bin/bash
# A rate limit admits exactly its burst and denies the rest with a reset; another protocol on the same port is not touched.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_redis
start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT")
$(module cache-1 redis "$REDIS_PORT")
limits:
  - {name: http_global, protocol: http, rate: 0.001, burst: 20, per: protocol}
YAML

good=0 denied=0
for _ in $(seq 50); do
  if http_through "http://127.0.0.1:$FORWARD_PORT/" >/dev/null 2>&1; then good=$((good + 1)); else denied=$((denied + 1)); fi
done
assert_eq "$good $denied" "20 30" "requests admitted and denied"
assert_eq "$(redis_through ping)" PONG "another protocol"
assert_eq "$(metric nlb_ratelimit_denied_total bucket=http_global protocol=http)" 30 "denied, as counted"
assert_eq "$(metric nlb_ratelimit_allowed_total bucket=http_global protocol=http)" 20 "allowed, as counted"
eventually 10 logged 'select(.protocol == "http" and .end == "limited")'
assert_eq "$(peer send "$FORWARD_PORT" "$(printf 'GET / HTTP/1.1\r\n\r\n' | hex)")" "- reset" "what a denied client sees"

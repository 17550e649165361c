#!/bin/bash
# 5,000 sessions open at the same time, each in use, and none left behind.
. "$(dirname "$0")/../support/lib.sh"
[ "$(ulimit -H -n)" = unlimited ] || [ "$(ulimit -H -n)" -ge 11000 ] || skip "the hard limit of descriptors is under 11,000"
ulimit -n "$(ulimit -H -n)"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT" "max_connections: 6000")
YAML

mkfifo "$TEMP/hold"
PEER_TIMEOUT=120 peer hold "$FORWARD_PORT" 5000 <"$TEMP/hold" >"$TEMP/held" &
holder=$!
exec {until}<>"$TEMP/hold"
eventually 60 grep -q held "$TEMP/held"
assert_eq "$(metric nlb_active_connections module=cache-1 protocol=redis)" 5000 "active connections"
assert_eq "$(redis_through ping)" PONG "one more"
exec {until}>&-
wait $holder || fail "a session was cut"
eventually 20 no_session_left
assert_eq "$(metric nlb_routed_connections_total module=cache-1)" 5001 "routed"

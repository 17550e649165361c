#!/bin/bash
# A module whose client comes back late, or not at all, after the registry was killed: while it answers its checks it stays, the only one
# of its service, and no request fails; when it is gone too, it goes. A client of ours is back within its lease.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
start_redis late; late=$REDIS_PORT; late_pid=$REDIS_PID
start_redis prompt; prompt=$REDIS_PORT
write_registry_config <<<"health: {interval: 300ms, timeout: 250ms, rise: 1, fall: 2}"
start_registry
start_forward <<YAML
$(listener)
services: {late: {}}
routes: [{protocol: redis, service: late}]
YAML
registry register --name late --service late --protocol redis --address "127.0.0.1:$late" --lease 2s >/dev/null
run keeper "$NLB_BIN/nlb-registry" register --name prompt --service prompt --protocol redis --address "127.0.0.1:$prompt" --lease 3s --keep
eventually 20 module_is late/late health healthy
eventually 20 module_is prompt/prompt health healthy
answers() { redis_through ping | grep -q PONG; }
eventually 10 answers
kill_registry
outage_end=$((SECONDS + 10))
while [ $SECONDS -lt $outage_end ]; do answers || fail "a request while the registry is gone"; done      # long enough for back-off to grow
start_registry
heard_end=$((SECONDS + 6))                                       # two and three leases
while [ $SECONDS -lt $heard_end ]; do answers || fail "a request after the registry came back"; done
assert_eq "$(state_of late/late phase) $(state_of prompt/prompt phase)" "suspect up" "who has not been heard, and who has"
stop "$late_pid"
eventually 10 is_gone late/late

#!/bin/bash
# The registry comes back with an empty disk: modules that answer stay in use, one that doesn't is dropped, a restart of nlb-forward in the
# middle of it changes nothing, and who registers again is an ordinary module again.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
start_registry
start_nginx
start_redis
register() { registry register --name "$1" --protocol "$2" --address "127.0.0.1:$3" --check-interval 300ms --check-timeout 300ms --fall 3 --lease 1h >/dev/null; }
for name in web-1 web-2 web-3; do register $name http "$HTTP_PORT"; done
register cache redis "$REDIS_PORT"
start_forward <<<"$(listener)"
eventually 10 bus_is .modules 4
eventually 10 serves
kill_registry
rm -rf "$NLB_STATE_DIR/registry.db"*
stop "$REDIS_PID"
start_registry
assert_eq "$(modules)" "" "what the registry knows without its disk"
eventually 20 bus_is " | $registry_peer | .quarantined" 3      # all four at first; the one that doesn't answer goes
assert_eq "$(bus .quarantine_dropped)" 1 "dropped: it did not answer"
assert_eq "$(bus .modules)" 3 "modules in use"
serves || fail "a module in quarantine is not served"
metric_is 3 nlb_bus_facts state=quarantined || fail "the metrics don't show the quarantine"

copy=$NLB_STATE_DIR/forward/bus.copy
kept() { grep -q quarantined "$copy" && ! grep -q redis/cache "$copy"; }      # written since the drop
eventually 10 kept
kill -KILL "$FORWARD_PID"
eventually 10 gone "$FORWARD_PID"
start_forward <"$TEMP/nlb.yaml"
serves || fail "nlb-forward lost its modules in a restart of its own"
assert_eq "$(bus " | $registry_peer | .quarantined")" 3 "still in quarantine after nlb-forward's restart"
register web-1 http "$HTTP_PORT"
eventually 10 bus_is " | $registry_peer | .quarantined" 2
serves || fail "the module that registered again is not served"

#!/bin/bash
# Under load the registry is stopped, continued, killed and started again, and not one request fails: the last word holds, and its age shows.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
command -v wrk >/dev/null || skip "wrk is not installed"
start_registry
start_nginx
keep_module web-1 "$HTTP_PORT"
start_forward <<<"$(listener)"
eventually 10 serves
start_load 25
kill -STOP "$REGISTRY_PID"
eventually 15 bus_is " | $registry_peer | .phase" stale
assert_between "$(bus " | $registry_peer | .age_seconds")" 3 60 "age of what a stopped registry said"
serves || fail "the module is not served while the registry is stopped"
kill -CONT "$REGISTRY_PID"
eventually 15 bus_is " | $registry_peer | .live" true
epoch=$(bus " | $registry_peer | .epoch")
kill_registry
eventually 15 bus_is " | $registry_peer | .live" false
start_registry
newer() { [ "$(bus " | $registry_peer | .epoch")" -gt "$epoch" ]; }
eventually 15 newer
assert_eq "$(bus .modules)" 1 "modules after the registry's restart"
assert_eq "$(bus " | $registry_peer | .quarantined")" 0 "a restart with its disk puts nothing in quarantine"
end_load
assert_between "$(metric nlb_bus_resyncs_total owner="$(bus " | $registry_peer | .owner")")" 1 1000 "resyncs in the metrics"

#!/bin/bash
# nlb-forward is killed and started while the registry is away: it serves at once from its own copy on disk, and says how old that is.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
start_registry
start_nginx
keep_module web-1 "$HTTP_PORT"
start_forward <<<"$(listener)"
eventually 10 serves
[ -s "$NLB_STATE_DIR/forward/bus.copy" ] || eventually 10 test -s "$NLB_STATE_DIR/forward/bus.copy"
kill_registry
kill -KILL "$FORWARD_PID"
eventually 10 gone "$FORWARD_PID"
start_forward <"$TEMP/nlb.yaml"
serves || fail "the first request after READY was not served from the copy on disk"
assert_eq "$(bus .modules)" 1 "modules from the copy on disk"
assert_eq "$(bus " | $registry_peer | .live")" false "live"
[ "$(bus " | $registry_peer | .epoch")" -gt 0 ] || fail "the copy has no epoch"
kill -KILL "$FORWARD_PID"
eventually 10 gone "$FORWARD_PID"
truncate -s -1 "$NLB_STATE_DIR/forward/bus.copy"               # a torn copy is refused whole and costs only what it held
start_forward <"$TEMP/nlb.yaml"
assert_contains "$(cat "$TEMP/forward.log")" "the saved copy of the bus is damaged" "the log"
assert_eq "$(bus .modules)" 0 "modules"
start_registry
eventually 15 serves

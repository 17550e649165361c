#!/bin/bash
# Streams of all sizes both ways, slow readers, half-closes and resets, with every byte looked at and the configuration read again
# meanwhile: nothing is lost, doubled, reordered or late, and every end is passed on as what it was; with splice and without.
. "$(dirname "$0")/../support/lib.sh"
start_relay "splice: auto"
while sleep 0.5; do kill -HUP "$FORWARD_PID" 2>/dev/null || break; done &

torture() { "$NLB_BIN/relay_torture" --listen "$INSIDE" --via "$FORWARD_PORT" --gib "$1" --session-mib 64 --seed "$2" | tee "$TEMP/torture"; }
torture 2 1 || fail "with splice"
spliced=$(metric nlb_spliced_bytes_total)
assert_between "$spliced" 500000000 9000000000 "bytes that were spliced"
for what in half_closes resets slow_readers; do assert_between "$(jq ".$what" "$TEMP/torture")" 5 100000 "$what"; done
end_relay

start_relay "splice: off"
torture 1 2 || fail "without splice"
assert_eq "$(metric nlb_spliced_bytes_total)" 0 "bytes that were spliced with splice off"
eventually 10 no_session_left

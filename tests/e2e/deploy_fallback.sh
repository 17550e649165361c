#!/bin/bash
# When a version has no healthy module its clients go to the other one, a counter says how many, and a canary whose last replica is
# gone is rolled back at once: no request fails but those that were with a replica as it died.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
start_version v1; start_version v2
start_controller
start_forward <<YAML
$(listener)
modules:
$(for v in v1 v2; do for r in 1 2; do port=PORT_${v}_$r; module "$v-$r" http "${!port}" "service: web, version: $v"; done; done)
services: {web: {eject: {failures: 3, for: 60s, max_percent: 100}}}
routes: [{protocol: http, service: web}]
YAML
deploy init web --stable v1 >/dev/null
eventually 15 split_is_applied
canary start web --to v2 --steps 50 --every 1h --pause >/dev/null
deploy set-weight web 50 >/dev/null
start_crowd 200 100
eventually 30 applied_by 1
kill -KILL "$VERSION_PID_v2_1" "$VERSION_PID_v2_2"
eventually 60 phase_is rolled_back
seen=$(stop_crowd)
"$NLB_BIN/nlb-inspect" bus traffic --once --connect "ipc://$TEMP/run/forward.bus" >"$TEMP/traffic"
of_version() { jq -r ".body | select(.version == \"$1\") | $2" "$TEMP/traffic"; }
assert_between "$(of_version v2 '.totals.connect_failing_clients // 0 | tonumber')" 1 "$(of_version v2 '.totals.connect_failures // 0 | tonumber')" "clients whose connects failed"
assert_between "$(of_version v1 '(.aa_half.attempts | tonumber) / (.totals.attempts | tonumber)')" 0.3 0.7 "the share of every second client"
cut_short=$(jq -c 'select(.end == "module_reset")' "$ACCESS_LOG" | wc -l)
assert_eq "$(jq .failed <<<"$seen")" "$cut_short" "failed requests of $(jq .requests <<<"$seen"); those that were cut short"
[ "$(metric nlb_version_fallbacks_total service=web)" -gt 0 ] || fail "no fall-back was counted"
echo "$(metric nlb_version_fallbacks_total service=web) sessions fell back: $(state_of web .rollout.reason)"

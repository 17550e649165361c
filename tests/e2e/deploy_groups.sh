#!/bin/bash
# Two sites, each with a forwarder of its own, step together: both get the weight, and none is promoted before both have passed. A version
# that fails at one site only is rolled back at both, or at that one while the other is frozen, as chosen.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
prepare_edges eu us
write_controller_config "$EDGES"
start_version v1; start_version v2; start_version good; start_version bad error 0.1
start_controller
site() {   # site NAME MODULES_OF_V3: the same versions, but v3 is another program there
  for v in v1 v2; do for r in 1 2; do port=PORT_${v}_$r; module "$v-$r" http "${!port}" "service: web, version: $v"; done; done
  for r in 1 2; do port=PORT_$2_$r; module "v3-$r" http "${!port}" "service: web, version: v3"; done
}
for edge in eu:good us:bad; do
  start_edge "${edge%:*}" <<<$'modules:\n'"$(site "$edge" "${edge#*:}")"$'\nroutes: [{protocol: http, service: web}]\nservices: {web: {eject: {failures: 1000000}}}'
done
deploy init web --stable v1 >/dev/null
eventually 20 applied_by 2
start_crowd 300 80 "$EDGE_PORT_eu"; eu=$CROWD_PID
code=0
timeout 60 "$DEPLOY" canary start web --config "$TEMP/deploy.yaml" --to v2 --steps 50 --every 3s --delta 0.08 --group eu,us --wait --timeout 14s >/dev/null 2>&1 || code=$?
assert_eq $code 5 "only one site has traffic: the group waits"
eventually 30 phase_is waiting_for_traffic
mv "$TEMP/crowd.json" "$TEMP/eu.json"
"$PYTHON" "$SUPPORT/versions.py" crowd "$EDGE_PORT_us" 300 80 "$TEMP/crowd.end" >"$TEMP/us.json" 2>"$TEMP/us.log" & us=$!
PIDS+=("$us TERM")
eventually 60 phase_is promoted
for how in rollback freeze; do
  code=0
  canary start web --to v3 --steps 50 --every 60s --group eu,us --on-group-alarm $how --wait --timeout 90s >/dev/null 2>"$TEMP/$how.log" || code=$?
  assert_contains "$(state_of web .rollout.reason)" "at us: failures" "which site alarmed"
  assert_eq $code $([ $how = rollback ] && echo 1 || echo 5) "exit code with $how"
  assert_eq "$(state_of web .phase)" $([ $how = rollback ] && echo rolled_back || echo frozen) "phase with $how"
done
site_weight() { state_of web ".sites[] | select(.site == \"$1\") | .canary_weight_percent"; }
assert_eq "$(site_weight us)" 0 "weight at the site that alarmed"
assert_eq "$(site_weight eu)" 25 "weight at the frozen site"        # its first contact: half of the first step
deploy rollback web >/dev/null
eventually 40 phase_is rolled_back
assert_eq "$(site_weight eu)" 0 "weight at the other site after the rollback"
touch "$TEMP/crowd.end"
eventually 30 gone "$eu"; eventually 30 gone "$us"

#!/bin/bash
# The controller is killed at random moments of one rollout, again and again. No request fails, the weights stay as they were each time,
# the rollout ends as it should; then a bad one is rolled back although its controller is killed as well. KILLS and SEED can be set.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
RANDOM=${SEED:=$RANDOM}
echo "seed $SEED"
start_version v1; start_version v2; start_version bad error 0.05
start_controller
start_forward <<YAML
$(listener)
modules:
$(for v in v1 v2 bad; do for r in 1 2; do port=PORT_${v}_$r; module "$v-$r" http "${!port}" "service: web, version: $v"; done; done)
services: {web: {eject: {failures: 1000000}}}
routes: [{protocol: http, service: web}]
YAML
deploy init web --stable v1 >/dev/null
eventually 15 split_is_applied
start_crowd 400 100
canary start web --to v2 --steps 20,50 --every 3s --delta 0.05 >/dev/null
for _ in $(seq "${KILLS:-5}"); do
  sleep "$(awk -v r=$RANDOM 'BEGIN { print r / 32768 * 4 }')"     # the moment is the point
  kill_controller
  before=$("$DEPLOY" get web --config "$TEMP/deploy.yaml" -o ndjson 2>/dev/null | jq -r '.rollout.weight_percent')   # as the store has it
  start_controller
  after=$(state_of web .rollout.weight_percent)
  awk -v b="$before" -v a="$after" 'BEGIN { exit !(a >= b) }' || fail "the weight fell from $before to $after over a restart"
  eventually 15 split_is_applied
done
eventually 60 phase_is promoted
seen=$(stop_crowd)
assert_eq "$(jq .failed <<<"$seen")" 0 "failed requests of $(jq .requests <<<"$seen")"
assert_eq "$(state_of web .revision)" 1 revision
start_crowd 400 150
canary start web --to bad --steps 20,50 --every 60s >/dev/null
sleep "$(awk -v r=$RANDOM 'BEGIN { print r / 32768 * 5 }')"
kill_controller
start_controller
eventually 60 phase_is rolled_back
seen=$(stop_crowd)
assert_eq "$(curl -s "http://127.0.0.1:$FORWARD_PORT/")" v2 "who answers after the rollback"
echo "rolled back over a kill: $(jq .hurt_clients <<<"$seen") of 400 clients hurt: $(state_of web .rollout.reason)"

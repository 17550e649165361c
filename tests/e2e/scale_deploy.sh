#!/bin/bash
# A canary whose version doesn't run yet: nlb-deploy holds capacity, nlb-scale starts it, the rollout goes on when it is there; stable
# never falls below what a rollback needs, although its load goes to the canary, and no request fails.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
. "$(dirname "$0")/../support/scale.sh"
. "$(dirname "$0")/../support/deploy.sh"
. "$(dirname "$0")/../support/crowd.sh"
start_scaled_web "min: 1, max: 6, periods: 1, up: {cooldown: 0s, step_max: 3}, down: {cooldown: 0s, step_max: 3}" 30s \
  "process: {$(web_command "$NLB_BIN/nlb-registry" -- "$PYTHON" "$SUPPORT/versions.py" serve "{port}" "{version}")}"
version() { scaled "select(.version == \"$1\") | $2"; }
eventually 20 version v1 '.ready == 1'
eventually 10 serves
start_crowd base 80
eventually 60 version v1 '.ready >= 3'                                # 80 a second, 30 each
stable=$(scale status -o ndjson | jq 'select(.version == "v1") | .ready')
start_controller
deploy init web --stable v1 >/dev/null
code=0
canary start web --to v2 --steps 30,90 --every 6s --delta 0.05 --wait --timeout 150s -o ndjson >"$TEMP/canary.out" 2>&1 &
CANARY=$!
least=99
while alive $CANARY; do
  now=$(scale status -o ndjson | jq 'select(.version == "v1") | .actual')
  [ "${now:-99}" -ge "$least" ] || least=$now
  sleep 0.3
done
wait $CANARY || code=$?
assert_eq $code 0 "exit code of the rollout ($(tail -n 1 "$TEMP/canary.out"))"
assert_between "$least" "$stable" 6 "fewest replicas of stable while the rollout ran"
version v2 '.ready >= 3' || fail "v2 is promoted with $(scale status -o ndjson)"
stop_crowd base >/dev/null
assert_eq "$(jq .failed "$TEMP/crowd-base.json")" 0 "failed requests"
[ "$(jq '.versions | keys | length' "$TEMP/crowd-base.json")" -ge 2 ] || fail "only one version answered"
assert_contains "$(scale history -n 1000 -o ndjson | jq -r 'select(.service == "web/v2") | .text')" "hold" "why v2 was started"
echo "stable kept $least replicas; $(jq -c '{requests, failed}' "$TEMP/crowd-base.json")"

#!/bin/bash
# Canaries that answer 503 for 5 %, reset, are slow, or crash are rolled back by themselves; how fast and at what price is printed.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
kinds=${KINDS:-"error:0.05 reset:0.05 crash:0.05"}
start_version v1
cases=($kinds)
modules="" first=true
for entry in "${cases[@]}"; do
  kind=${entry%:*}
  start_version "$kind" "$kind" "${entry#*:}"
done
start_controller
start_forward <<YAML
$(listener)
modules:
$(for v in v1 "${cases[@]%:*}"; do for r in 1 2; do port=PORT_${v}_$r; module "$v-$r" http "${!port}" "service: web, version: $v"; done; done)
services: {web: {eject: {failures: 1000000}}}
routes: [{protocol: http, service: web}]
YAML
deploy init web --stable v1 >/dev/null
eventually 15 split_is_applied
for entry in "${cases[@]}"; do
  kind=${entry%:*}
  start_crowd 400 150
  begin=$(date +%s%N)
  code=0
  canary start web --to "$kind" --steps 10,50 --every 40s --wait --timeout 120s -o ndjson >"$TEMP/$kind.out" 2>"$TEMP/$kind.log" || code=$?
  took=$((($(date +%s%N) - begin) / 1000000))
  assert_eq $code 1 "exit code for $kind ($(tail -n1 "$TEMP/$kind.out"))"
  assert_eq "$(state_of web .phase)" rolled_back "phase after $kind"
  seen=$(stop_crowd)
  assert_between "$(jq .hurt_clients <<<"$seen")" 0 60 "clients hurt by $kind"
  echo "$kind: rolled back after $took ms, $(jq .hurt_clients <<<"$seen") of 400 clients hurt, $(jq .failed <<<"$seen") of $(jq .requests <<<"$seen") requests failed: $(state_of web .rollout.reason)"
done
# A pipeline learns of it by the exit code, and has the reason in its log.
start_crowd 400 150
code=0
NLB_CONFIG=$TEMP/deploy.yaml "$NLB_SOURCE/examples/canary-in-ci.sh" web error --steps 10,50 --every 40s >"$TEMP/ci.out" 2>"$TEMP/ci.log" || code=$?
assert_eq $code 1 "the pipeline's exit code"
assert_contains "$(cat "$TEMP/ci.out")" "rolled back: worse: failures" "the pipeline's word"
stop_crowd >/dev/null
cases+=(again:0)
assert_between "$(curl -sf "http://127.0.0.1:$DEPLOY_ADMIN_PORT/metrics" | awk '$1 == "nlb_bluegreen_rollbacks_total" {print $2}')" "${#cases[@]}" "${#cases[@]}" rollbacks

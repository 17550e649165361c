#!/bin/bash
# A good canary, started from a pipeline by exit codes and NDJSON alone, is promoted while wrk and a crowd run; no request fails.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
start_site
start_crowd 400 150
wrk -t1 -c4 -d60s -H 'Connection: close' "http://127.0.0.1:$FORWARD_PORT/" >"$TEMP/wrk.out" 2>&1 &
wrk=$!
code=0
NLB_CONFIG=$TEMP/deploy.yaml CI_JOB_ID=7 "$NLB_SOURCE/examples/canary-in-ci.sh" web v2 --steps 10,50 --every 4s --delta 0.05 --deadline 90s \
  >"$TEMP/ci.out" 2>"$TEMP/ci.log" || code=$?
assert_eq $code 0 "the pipeline's exit code ($(cat "$TEMP/ci.out"))"
assert_contains "$(cat "$TEMP/ci.out")" "promoted: v2" "the pipeline's word"
assert_eq "$(state_of web .phase)" promoted phase
kill -INT $wrk 2>/dev/null || true
wait $wrk || true
seen=$(stop_crowd)
assert_eq "$(jq .failed <<<"$seen")" 0 "failed requests of $(jq .requests <<<"$seen")"
if grep -E 'Non-2xx|Socket errors' "$TEMP/wrk.out"; then fail "wrk saw errors: $(cat "$TEMP/wrk.out")"; fi
# The same job again finds its rollout, and starts nothing.
NLB_CONFIG=$TEMP/deploy.yaml CI_JOB_ID=7 "$NLB_SOURCE/examples/canary-in-ci.sh" web v2 --steps 10,50 --every 4s >/dev/null 2>&1
assert_eq "$(state_of web .revision)" 1 revision
curl -sf "http://127.0.0.1:$DEPLOY_ADMIN_PORT/metrics" | grep 'nlb_bluegreen_deployments_total{protocol="http",status="promoted"} 1' >/dev/null || fail "metrics miss the promotion"
echo "promoted: $(jq -c . <<<"$seen"); wrk: $(grep requests "$TEMP/wrk.out" || true)"

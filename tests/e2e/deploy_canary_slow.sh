#!/bin/bash
# A canary that is slow for half of its requests, and otherwise right, is rolled back by itself. What is slow is learned from a minute of stable.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
start_site slow 0.5
start_crowd 400 100
begin=$(date +%s)
code=0
canary start web --to v2 --steps 20,50 --every 150s --wait --timeout 200s -o ndjson >"$TEMP/slow.out" 2>&1 || code=$?
assert_eq $code 1 "exit code ($(tail -n1 "$TEMP/slow.out"))"
reason=$(state_of web .rollout.reason)
[[ "$reason" == "worse: first_byte"* ]] || fail "what the judge saw: $reason"      # and not what follows from it: longer sessions
seen=$(stop_crowd)
assert_eq "$(jq .failed <<<"$seen")" 0 "failed requests"
echo "slow: rolled back after $(($(date +%s) - begin)) s, $(jq .clients.v2 <<<"$seen") of 400 clients met it: $reason"

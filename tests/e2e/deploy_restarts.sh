#!/bin/bash
# In the middle of a rollout the controller is killed, then the forwarder is: the weights stay as they were, the waiting client finds the
# controller again, and the canary is promoted all the same, after one more bake time.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
start_site
start_crowd 300 100
canary start web --to v2 --steps 20,50 --every 8s --delta 0.05 --watch -o ndjson >"$TEMP/follow.out" 2>"$TEMP/follow.log" &
follower=$!
weight_is() { [ "$(state_of web '.versions[] | select(.version == "v2") | .weight_percent')" = "$1" ]; }
eventually 30 weight_is 20
kill -KILL "$DEPLOY_PID"
eventually 10 gone "$DEPLOY_PID"
for _ in $(seq 40); do curl -s "http://127.0.0.1:$FORWARD_PORT/" >/dev/null; done      # traffic goes on under the last weights
start_controller
killed=$(date +%s%N)
eventually 15 split_is_applied
weight_is 20 || fail "the weight changed over the controller's restart"
kill -KILL "$FORWARD_PID"
eventually 10 gone "$FORWARD_PID"
start_forward <"$TEMP/nlb.yaml"
eventually 15 split_is_applied
code=0
wait $follower || code=$?
assert_eq $code 0 "the waiting client's exit code ($(tail -n 3 "$TEMP/follow.log"))"
assert_eq "$(state_of web .phase)" promoted phase
assert_between $((($(date +%s%N) - killed) / 1000000)) 8000 100000 "ms from the controller's return to the promotion"
assert_eq "$(state_of web .revision)" 1 revision
assert_contains "$(deploy history web -o ndjson | jq -r .verb | tr '\n' ' ')" resume "the history"
stop_crowd >/dev/null

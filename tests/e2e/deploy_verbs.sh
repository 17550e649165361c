#!/bin/bash
# The verbs and their exit codes: no controller 4, refused 6 with what is legal now, undecided 5, reading without a controller,
# a second controller refused, a restart in the middle by kill -9, foreground, undo, history.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
cat >"$TEMP/deploy.yaml" <<YAML
deploy: {grpc: "unix:$TEMP/deploy.sock"}
store: {sqlite: "$TEMP/deploy-state/deploy.db"}
admin: {address: "127.0.0.1:$DEPLOY_ADMIN_PORT"}
YAML
assert_exit 4 deploy get web
assert_exit 4 canary start web --to v2
assert_contains "$(cat "$TEMP/stderr")" "start \`nlb-deploy serve\`" "the hint"
start_site
assert_exit 4 "$DEPLOY" serve --config "$TEMP/deploy.yaml"             # a second controller
assert_exit 2 canary start web --to v2 --steps 50,10
assert_exit 6 canary pause web
assert_contains "$(cat "$TEMP/stderr")" "legal now: start, switch, undo" "the refusal"
assert_exit 6 deploy init web --stable v7
assert_exit 6 deploy init new --stable v1 --expect-rev 77
assert_contains "$(cat "$TEMP/stderr")" "revision is 0, not 77" "compare and set for a service that isn't there"
assert_exit 6 deploy switch web --to v9
assert_exit 6 canary start web --to v2 --expect-rev 9
assert_exit 5 canary start web --to v2 --step 10 --every 1m --first-contact 0s --wait --timeout 2s >"$TEMP/undecided.out"
assert_exit 6 canary start web --to v2
assert_contains "$(cat "$TEMP/stderr")" "a rollout of web from v1 to v2 is" "what is running"
kill -KILL "$DEPLOY_PID"
eventually 10 gone "$DEPLOY_PID"
assert_contains "$(deploy get web -o ndjson 2>/dev/null)" '"canary":"v2"' "the store, read without a controller"
assert_contains "$(deploy history web 2>/dev/null)" start "the history, read without a controller"
start_controller
eventually 15 split_is_applied
assert_contains "$(deploy explain web)" "judge: no alarm" explain
may_promote() { deploy get web -o ndjson | jq -e '.legal_verbs | index("promote")'; }
eventually 15 may_promote
before=$(state_of web .rollout.weight_percent)
canary promote web >/dev/null                                          # one step, whose time is far from over
weight_rose() { [ "$(state_of web ".rollout.weight_percent > $before and .rollout.weight_percent < 100")" = true ]; }
eventually 15 weight_rose
assert_exit 6 canary promote web --full --expect-rev 9
canary promote web --full --wait --timeout 30s >/dev/null
assert_eq "$(curl -s "http://127.0.0.1:$FORWARD_PORT/")" v2 "who answers after the promotion"
deploy rollback web --timeout 30s >/dev/null
eventually 20 phase_is rolled_back
assert_eq "$(curl -s "http://127.0.0.1:$FORWARD_PORT/")" v1 "who answers after the rollback"
deploy switch web --to v2 --wait --timeout 30s >/dev/null
assert_eq "$(curl -s "http://127.0.0.1:$FORWARD_PORT/")" v2 "who answers after the switch"
deploy undo web --to 1 --wait --timeout 30s >/dev/null
assert_eq "$(curl -s "http://127.0.0.1:$FORWARD_PORT/")" v1 "who answers after undo to the revision that was rolled back"
assert_eq "$(deploy list -o ndjson | jq -r .service)" web list
curl -sf "http://127.0.0.1:$DEPLOY_ADMIN_PORT/status" | jq -e '.services[0].service == "web"' >/dev/null || fail "/status"
stop "$DEPLOY_PID"
# No controller: the command is one itself.
deploy_code=0
canary start web --to v2 --steps 50 --every 1s --foreground --timeout 6s >"$TEMP/foreground.out" 2>&1 || deploy_code=$?
assert_eq $deploy_code 5 "foreground without traffic ($(cat "$TEMP/foreground.out"))"

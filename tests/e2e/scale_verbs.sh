#!/bin/bash
# The verbs, their exit codes and their NDJSON; a second serve waits as standby and takes over.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/scale.sh"
SCALE_CONFIG=$TEMP/none.yaml; echo '{}' >"$SCALE_CONFIG"
assert_exit 4 scale status
SCALE_CONFIG=$TEMP/scale.yaml
start_scale <<YAML
scale:
  interval: 1s
  policies:
    - {service: web, min: 1, max: 5, targets: {connections: 10}, target: {process: {command: [sleep, "600"]}}}
    - {service: seen, min: 2, max: 5, targets: {connections: 10}}
YAML
web() { scaled "select(.service == \"web\") | $1"; }
eventually 20 web '.actual == 1'
assert_exit 0 scale set web 3 --for 1m --reason "a test"
eventually 20 web '.actual == 3 and .rule == "by_hand"'
assert_exit 6 scale set web 9
assert_contains "$(cat "$TEMP/stderr")" "the policy allows 1 to 5"
assert_exit 6 scale set nothing 1
assert_exit 6 scale policy set web --min 7
assert_contains "$(cat "$TEMP/stderr")" "min 7 is above max 5"
assert_exit 2 scale set web
calls=0
while IFS='|' read -r says method request; do                # over gRPC a wrong field is a status, and what isn't legal now is an answer
  [[ $request == head* ]] || request="head {request_id: 'call-$((++calls))'} $request"
  answer=$("$PYTHON" "$SUPPORT/call.py" "unix:$NLB_RUNTIME_DIR/scale.sock" ScaleService "$method" "$request")
  assert_contains "$answer" "$says" "$method $request"
done <<'CALLS'
INVALID_ARGUMENT policy.service|SetPolicy|policy {min: 1 max: 2 strategy: "hpa" rate: 1 periods: 1}
INVALID_ARGUMENT policy.strategy: 'best' is none|SetPolicy|policy {service: "web" min: 1 max: 2 strategy: "best" rate: 1 periods: 1}
INVALID_ARGUMENT policy refused: max 4000000000 is above 1000000|SetPolicy|policy {service: "web" min: 1 max: 4000000000 strategy: "hpa" rate: 1 periods: 1}
INVALID_ARGUMENT replicas: 1000001 is too many|SetReplicas|service: "web" replicas: 1000001
INVALID_ARGUMENT modules: none is named|DrainModules|service: "web"
INVALID_ARGUMENT head.request_id|Hold|head {request_id: ""} service: "web"
NOT_FOUND 'nothing' is not scaled here|Hold|service: "nothing"
refused: "set web 9: the policy allows 1 to 5|SetReplicas|service: "web" replicas: 9
CALLS
assert_exit 0 scale policy set web/v1 --min 2 --max 4 --strategy hpa --connections 20
scale policy get web -o ndjson | jq -se 'any(.[]; .version == "v1" and .min == 2 and .max == 4 and .strategy == "hpa" and .connections == 20)' >/dev/null || fail "policy get"
assert_exit 0 scale policy reset web/v1
assert_exit 6 scale policy reset web/v1
assert_exit 0 scale hold web --for 1m
assert_exit 0 scale hold web --end
assert_exit 0 scale pause web --down
eventually 10 web '.paused_down and (.paused_up | not)'
assert_exit 0 scale resume web
eventually 10 web '.paused_down | not'
while read -r id address; do measure "{\"service\":\"web\",\"module\":\"$id\",\"address\":\"$address\",\"sessions\":1}"; done < <(replicas)
eventually 10 web '.ready == 3'
module=$(replicas | head -n 1 | cut -d' ' -f1)
assert_exit 6 scale drain web no-such-module
assert_exit 0 scale drain web "$module" --deadline 1m
drained() { web 'any(.drains[]; .module == "'"$module"'")'; }
eventually 10 drained
eventually 10 web '.actual == 4 and .wanted == 3'            # another takes its place
drained || fail "the count that is wanted called back a module that somebody named"
assert_exit 0 scale undrain web "$module"
back() { ! drained; }
eventually 10 back
eventually 20 web '.actual == 3 and .wanted == 3'            # the one too many goes, and it never served
replicas | grep -q "^$module " || fail "who was called back is gone"
for verb in "explain web" "history" "forecast web" "status" "policy get"; do
  # shellcheck disable=SC2086 # words
  assert_exit 0 scale $verb -o table
  # shellcheck disable=SC2086
  scale $verb -o ndjson | jq -e . >/dev/null || [ "$verb" = "forecast web" ] || fail "$verb is no NDJSON"
done
eventually 10 scaled 'select(.service == "seen") | .wanted == 2 and .actual == 0'   # recommends, does nothing
timeout 4 "$SCALE" status --watch --config "$SCALE_CONFIG" -o ndjson >"$TEMP/watch" || true
[ "$(wc -l <"$TEMP/watch")" -ge 4 ] || fail "watch told $(wc -l <"$TEMP/watch") lines"

free_port second
"$SCALE" serve --config "$SCALE_CONFIG" --set "admin.address=127.0.0.1:$second" >>"$TEMP/second.log" 2>&1 &
SECOND=$!
PIDS+=("$SECOND KILL")
standby() { [[ "$(curl -s "http://127.0.0.1:$second/readyz")" == standby* ]]; }
leads() { curl -s "http://127.0.0.1:$second/status" | jq -e .leading >/dev/null; }
eventually 20 standby
assert_exit 0 scale drain web "$module" --deadline 1m
kill -KILL "$SCALE_PID"
eventually 20 leads
eventually 20 web '.actual == 4 and .wanted == 3'
drained || fail "the standby has called back a module that somebody named"
kill -TERM "$SECOND"
eventually 20 gone "$SECOND"
wait "$SECOND" || fail "TERM gave $?"

#!/bin/bash
# Replicas as processes follow a load that rises and falls: started, ready by registration, drained when fewer are needed, called back,
# and each change is in the history with its reason.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/scale.sh"
start_scale <<YAML
scale:
  interval: 1s
  policies:
    - {service: web, min: 1, max: 5, strategy: threshold, periods: 1, targets: {connections: 10, cpu_percent: null, memory_percent: null},
       up: {cooldown: 0s, step_max: 2}, down: {cooldown: 0s, step_max: 4},
       target: {process: {command: [sleep, "600"]}}}
services: {web: {drain_timeout: 60s}}
YAML
count_is() { [ "$(replicas | wc -l)" = "$1" ]; }
register() { while read -r id address; do measure "{\"service\":\"web\",\"module\":\"$id\",\"address\":\"$address\",\"ready\":true,\"sessions\":${1:-0}}"; done < <(replicas); }
load() { measure "{\"service\":\"web\",\"connections\":$1}"; register "${2:-0}"; scaled "$3"; }

eventually 20 count_is 1                                   # the minimum, at once
eventually 20 load 5 5 '.ready == 1'
eventually 20 load 45 9 '.ready == 5 and .wanted == 5'     # up, two at a time
eventually 20 load 5 1 '.wanted == 1 and (.drains | length == 4)'   # down: nobody is removed while it has sessions
[ "$(replicas | wc -l)" = 5 ] || fail "a replica with sessions was removed"
eventually 20 load 45 9 '.ready == 5 and (.drains | length == 0)'   # called back: nothing new is started
[ "$(scale history -n 1000 -o ndjson | jq -s '[.[] | select(.verb == "up" and (.text | contains("called back")))] | length')" -ge 1 ] || fail "no call back in the history"
eventually 30 load 5 0 '.actual == 1 and .ready == 1'      # empty: removed before the deadline
assert_contains "$(scale explain web)" "decided 1 by"
assert_contains "$(scale status -o table)" "web"
scale history -o ndjson | jq -se 'map(.verb) | (index("up") != null and index("down") != null and index("removed") != null)' >/dev/null || fail "history"
metrics=$(curl -sf "http://127.0.0.1:$SCALE_ADMIN_PORT/metrics")
for name in nlb_scale_operations_total nlb_current_replicas nlb_scale_decisions_total; do assert_contains "$metrics" "$name"; done

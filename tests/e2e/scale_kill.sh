#!/bin/bash
# kill -9 at any moment: the next serve on the same store goes on where it was. Processes live on and are adopted, never started twice;
# drains keep their deadlines; a pause, a policy set by hand and the history survive.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/scale.sh"
start_scale <<YAML
scale:
  interval: 1s
  policies:
    - {service: web, min: 1, max: 6, strategy: threshold, periods: 1, targets: {connections: 10, cpu_percent: null, memory_percent: null},
       up: {cooldown: 0s, step_max: 6}, down: {cooldown: 0s, step_max: 6}, target: {process: {command: [sleep, "600"]}}}
services: {web: {drain_timeout: 6s}}
YAML
register() { while read -r id address; do measure "{\"service\":\"web\",\"module\":\"$id\",\"address\":\"$address\",\"sessions\":1}"; done < <(replicas); }
load() { measure "{\"service\":\"web\",\"connections\":$1}"; register; scaled "$2"; }
again() { kill -KILL "$SCALE_PID"; wait "$SCALE_PID" 2>/dev/null || true; restart_scale; }

eventually 20 load 5 '.ready == 1'
for delay in 0 0.05 0.2 0.5; do                             # in the middle of a rise
  measure '{"service":"web","connections":55}'
  sleep $delay
  again
done
eventually 20 load 55 '.actual == 6 and .ready == 6'
for delay in 0 0.3; do again; sleep $delay; done            # and at rest: all are adopted
eventually 20 load 55 '.actual == 6'
before=$(replicas | sort)
again
eventually 20 load 55 '.actual == 6'
assert_eq "$(replicas | sort)" "$before" "the replicas after a restart"

eventually 20 load 5 '.drains | length == 5'                # in the middle of drains
again
eventually 20 load 5 '.drains | length == 5'
eventually 20 load 5 '.actual == 1'                         # their deadline holds, counted from before the restart

scale pause web >/dev/null
scale policy set web --max 3 >/dev/null
again
eventually 10 scaled '.paused_up and .paused_down and .max == 3'
scale history -n 1000 -o ndjson | jq -se 'map(.verb) | (index("up") != null and index("down") != null and index("pause") != null and index("policy") != null)' >/dev/null || fail "history"

#!/bin/bash
# Silence never scales in; a command that never serves, or a target that hangs, never stops the loop of the others.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/scale.sh"
start_scale <<YAML
scale:
  interval: 1s
  policies:
    - {service: web, min: 1, max: 5, strategy: threshold, periods: 1, targets: {connections: 10, cpu_percent: null, memory_percent: null},
       up: {cooldown: 0s, step_max: 4}, down: {cooldown: 0s, step_max: 4}, target: {process: {command: [sleep, "600"]}}}
    - {service: hangs, min: 3, max: 5, targets: {connections: 10}, target: {exec: {command: [sleep, "600"]}}}
    - {service: broken, min: 1, max: 5, targets: {connections: 10}, target: {process: {command: [/nonexistent/program]}}}
services: {web: {drain_timeout: 1s}}
YAML
web() { scaled "select(.service == \"web\") | $1"; }
load() { measure "{\"service\":\"web\",\"connections\":$1}"; web "$2"; }
eventually 20 load 45 '.actual == 5'
eventually 10 web '.rule == "missing"'                     # the measurements have stopped
for _ in 1 2 3; do
  before=$(curl -s "http://127.0.0.1:$SCALE_ADMIN_PORT/metrics" | awk '/^nlb_scale_decisions_total/ { s += $NF } END { print s }')
  decided_more() { [ "$(curl -s "http://127.0.0.1:$SCALE_ADMIN_PORT/metrics" | awk '/^nlb_scale_decisions_total/ { s += $NF } END { print s }')" -gt "$before" ]; }
  eventually 10 decided_more
  web '.actual == 5 and .wanted == 5' || fail "silence scaled in"
done
eventually 30 scaled 'select(.service == "hangs") | .alarm != ""'
eventually 30 scaled 'select(.service == "broken") | .alarm != "" or .ready == 0'
eventually 20 load 5 '.wanted == 1'                        # and the loop goes on

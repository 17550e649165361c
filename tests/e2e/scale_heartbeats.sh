#!/bin/bash
# With nothing configured but the service: CPU and memory come with the modules' heartbeats, through the registry and the bus, against the
# defaults (70 and 80 percent, 1 to 10 replicas). Who falls silent, or beats without saying, stops every scale-in.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
. "$(dirname "$0")/../support/scale.sh"
"$PYTHON" -c 'import grpc' 2>/dev/null || skip "python3-grpcio is not installed"
start_registry
start_scale <<'YAML'
scale: {policies: [{service: web, target: {observe: true}}], interval: 1s}
YAML
beats() { printf '%s\n' "$@" >"$TEMP/beats.new"; mv "$TEMP/beats.new" "$TEMP/beats"; }
recommends() { scaled ".ready == $1 and .wanted == $2"; }
beats "a 50 40" "b 65 40"
run beats "$PYTHON" "$SUPPORT/beats.py" "$NLB_ENDPOINT" web "$TEMP/beats"
BEATS=$PID
eventually 20 recommends 2 2                                           # 115 % of CPU at 70, and the margin of the first day
assert_contains "$(scale explain web)" "cpu 115"
assert_contains "$(scale explain web)" "memory 80"
scale policy get web -o ndjson | jq -e '.cpu_percent == 70 and .memory_percent == 80 and .connections == 1000 and .periods == 3 and .min == 1 and .max == 10
  and .up_cooldown_ms == 180000 and .down_cooldown_ms == 300000' >/dev/null || fail "the defaults: $(scale policy get web -o ndjson)"
scale policy set web --down-cooldown 0s >/dev/null
beats "a 90 40" "b 90 40"
eventually 20 recommends 2 3                                           # 180 %
beats "a 10 90" "b 10 90"
eventually 20 recommends 2 3                                           # 180 % of memory: three at 80
beats "a 10 5" "b 10 5"
eventually 90 recommends 2 1                                           # when the last minute is over
beats "a 10 5" "b - -"                                                 # b beats, and says nothing of its load
eventually 30 scaled '.wanted == 2 and .rule == "missing"'
beats "a 10 5" "b 10 5"
eventually 20 recommends 2 1
kill -STOP "$BEATS"                                                    # nobody beats: the last word was that one is enough
eventually 30 scaled '.wanted == .actual and .rule == "missing"'
kill -CONT "$BEATS"
eventually 30 recommends 2 1
kill_registry                                                          # and the same without a registry
eventually 30 scaled '.actual == 2 and .wanted == 2 and .rule == "missing"'

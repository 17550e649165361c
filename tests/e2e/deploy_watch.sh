#!/bin/bash
# The live view: drawn in place on a terminal of 80 and of 120 columns, plain lines of changes where there is none, NDJSON in a pipe.
# Ctrl-C ends the view and leaves the rollout running.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
start_site
start_crowd 200 60
canary start web --to v2 --steps 20,50 --every 40s --delta 0.05 >/dev/null
eventually 30 weight_is 20
screen() {   # screen COLUMNS: what a terminal of that width got in some seconds; the last drawing, without colours
  script -qefc "stty cols $1 rows 40; timeout --foreground -s INT 5 '$DEPLOY' get web --watch --config '$TEMP/deploy.yaml'" /dev/null </dev/null >"$TEMP/screen" || true
  grep -q $'\e\\[?25h' "$TEMP/screen" || fail "the cursor was not shown again"
  sed 's/\r//g; s/\x1b\[[0-9;?]*[A-Za-z]//g' "$TEMP/screen" | tac | awk '{ print } /^web  /{ exit }' | tac
}
for columns in 80 120; do
  screen $columns >"$TEMP/drawn"
  for word in "v1 → v2" baking wanted measured VERSION REPLICAS 2/2 "20.0 %" "█" steps "then 50 %" exposure failures "self-test"; do
    assert_contains "$(cat "$TEMP/drawn")" "$word" "the view at $columns columns"
  done
  wide=$(awk -v w=$columns 'length($0) > w' "$TEMP/drawn")
  [ -z "$wide" ] || fail "wider than $columns columns: $wide"
done
"$DEPLOY" get web --watch -o table --timeout 3s --config "$TEMP/deploy.yaml" >"$TEMP/plain" 2>/dev/null || true
assert_contains "$(head -n1 "$TEMP/plain")" "web: v1 → v2: baking, weight 20 %" "a plain line"
if grep -q $'\e' "$TEMP/plain"; then fail "escape codes without a terminal"; fi
"$DEPLOY" canary pause web --watch -o ndjson --config "$TEMP/deploy.yaml" >"$TEMP/watch.ndjson" 2>/dev/null || code=$?
assert_eq "${code:-0}" 5 "exit code of a paused rollout"
jq -e . "$TEMP/watch.ndjson" >/dev/null || fail "not NDJSON"
canary resume web >/dev/null
timeout -s INT 3 "$DEPLOY" get web --watch --config "$TEMP/deploy.yaml" >"$TEMP/interrupted" 2>&1 || true
[ -s "$TEMP/interrupted" ] || fail "nothing was watched before Ctrl-C"
assert_contains "holding shifting baking waiting_for_traffic" "$(state_of web .phase)" "the phase after Ctrl-C"
canary abort web >/dev/null
eventually 30 phase_is rolled_back
stop_crowd >/dev/null

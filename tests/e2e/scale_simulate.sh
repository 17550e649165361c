#!/bin/bash
# nlb-scale simulate: NDJSON keys, a score that can be recomputed from --steps, exit codes, charts.
set -eu
scale=$NLB_BIN/nlb-scale
[ -x "$scale" ] || { echo "nlb-scale is not built"; exit 77; }
command -v jq >/dev/null || { echo "jq is needed"; exit 77; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
replay=$(dirname "$0")/../bench/scale_replay.py
fail() { echo "FAIL: $*"; exit 1; }
code() {
  local want=$1 got=0; shift
  "$@" >"$tmp/out" 2>"$tmp/err" || got=$?
  [ "$got" = "$want" ] || fail "$* gave $got, not $want: $(cat "$tmp/err")"
}

awk 'BEGIN { print "# seconds,rate"; for (t = 0; t <= 14400; t += 60) printf "%d,%.3f\n", t, 50 + 40 * sin(t / 1800) }' >"$tmp/load.csv"

for strategy in threshold hpa predictive; do
  "$scale" simulate --trace "$tmp/load.csv" --startup 30s --min 2 --max 200 --capacity 5 --target 0.7 \
    --strategy $strategy --steps -o ndjson >"$tmp/$strategy"
  tail -n 1 "$tmp/$strategy" | jq -e '[.cost, .slo_percent, .over_percent, .shed_ppm, .flaps_per_day, .actions_per_day, .target]
    | all(type == "number")' >/dev/null || fail "$strategy: keys"
  head -n 1 "$tmp/$strategy" | jq -e '.t == 0 and .ordered >= 2 and .ready >= 2' >/dev/null || fail "$strategy: steps"
  "$replay" "$tmp/load.csv" <"$tmp/$strategy" || fail "$strategy: the summary doesn't follow from the steps"
done

"$scale" simulate --trace "$tmp/load.csv" --strategy hpa,predictive --sweep 0.4:0.9:0.1 -o ndjson >"$tmp/sweep"
[ "$(wc -l <"$tmp/sweep")" = 12 ] || fail "a sweep of six targets with two strategies has 12 lines"
[ "$(jq -s 'group_by(.strategy) | map(map(select(.cheapest)) | length) | max' "$tmp/sweep")" = 1 ] || fail "one cheapest a strategy"

awk 'BEGIN { for (t = 0; t <= 20000; t += 37) if (t % 5000 > 900) printf "%d,%.3f\n", t + 7, 30 + 20 * sin(t / 900) + (t % 3000 < 400 ? 60 : 0) }' >"$tmp/odd.csv"
for startup in 0s 33s 2m; do     # gaps, points at odd seconds, jumps; several strategies and targets in one stream
  "$scale" simulate --trace "$tmp/odd.csv" --startup $startup --speed 1.5 --strategy threshold,hpa,predictive --sweep 0.5:0.9:0.2 --steps -o ndjson |
    "$replay" "$tmp/odd.csv" --speed 1.5 || fail "startup $startup: the summary doesn't follow from the steps"
done

code 0 "$scale" simulate --trace - --capacity 5 --svg "$tmp/chart.svg" --plot -o table <"$tmp/load.csv"
grep -q '<polyline' "$tmp/chart.svg" && grep -q 'ready replicas' "$tmp/err" && grep -q predictive "$tmp/out" || fail "chart"
code 0 "$scale" simulate --trace synthetic:ramp --explain 9h -o table
grep -q '^decided' "$tmp/out" || fail "explain"
code 2 "$scale" simulate
code 2 "$scale" simulate --trace "$tmp/load.csv" --strategy magic
code 2 "$scale" simulate --trace "$tmp/load.csv" --sweep 0.9:0.2:0.1
code 2 "$scale" simulate --trace "$tmp/load.csv" --min 9 --max 3
grep -q 'min 9 is above max 3' "$tmp/err" || fail "the reason is missing"
code 4 "$scale" simulate --trace "$tmp/none.csv"
printf '0,1\nbanana\n' >"$tmp/bad.csv"
code 6 "$scale" simulate --trace "$tmp/bad.csv"
grep -q 'line 2' "$tmp/err" || fail "the line is missing"
code 6 "$scale" simulate --trace synthetic:nothing

printf 'scale:\n  policies:\n    - {service: web, min: 1, max: 10}\n' >"$tmp/good.yaml"
code 0 "$scale" policy check "$tmp/good.yaml"
grep -qx 'web: good' "$tmp/out" || fail "policy check"
echo ok

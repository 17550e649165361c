#!/bin/bash
# The table of strategies: the cheapest cost that keeps the slo, with flaps a day in brackets, on recorded loads, on those that nlb-scale
# makes itself, and on shapes that no strategy was tuned on (scale_shapes.py); then geometric means of predictive against hpa.
# Usage: scale_table.sh [BIN_DIR] [ARRIVALS] [SEED]: requests a second of one replica, arriving by chance (0: as recorded); of the shapes.
# Recorded loads are read from $NLB_SHARED/traces (default: ../shared beside the project) and left out with a note when absent.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${1:-$here/build/release/bin} arrivals=${2:-0} seed=${3:-1}
shapes=$(mktemp -d); trap 'rm -rf "$shapes"' EXIT
"$here/tests/bench/scale_shapes.py" "$shapes" "$seed"
traces=${NLB_SHARED:-$here/../shared}/traces
names=() ; files=() ; speeds=()
add() { names+=("$1"); files+=("$2"); speeds+=("$3"); }
if [ -d "$traces" ]; then
  for file in "$traces"/crane*.csv; do add "$(basename "$file" .csv)" "$file" 1; done
  add "nyc_taxi x6" "$traces/nyc_taxi.csv" 6
else
  echo "note: no recorded loads in $traces: only the synthetic ones" >&2
fi
for shape in flat diurnal step spike ramp walk; do add "$shape" "synthetic:$shape" 1; done
for file in "$shapes"/*.csv; do add "$(basename "$file" .csv)" "$file" 1; done

printf '%-17s %4s %16s %16s %16s %7s\n' trace D threshold hpa predictive ratio
for startup in 30 120; do
  for i in "${!names[@]}"; do
    slo=0.1; case ${names[$i]} in step | spike) slo=0.5 ;; esac
    "$bin/nlb-scale" simulate --trace "${files[$i]}" --speed "${speeds[$i]}" --startup ${startup}s --arrivals "$arrivals" --slo $slo \
      --strategy threshold,hpa,predictive --sweep 0.2:0.95:0.025 -o ndjson |
      jq -r -s --arg name "${names[$i]}" --arg d $startup '
        map(select(.cheapest)) | INDEX(.strategy) as $s | ["threshold", "hpa", "predictive"]
        | map($s[.] // {cost: null, flaps_per_day: null}) as $rows
        | [$name, $d, ($rows[] | .cost, .flaps_per_day)] | map(. // "-") | @tsv'
  done
done | awk -F'\t' '
  function cell(cost, flaps) { return cost == "-" ? "-" : sprintf("%.3f [%.1f]", cost, flaps) }
  { ratio = $5 != "-" && $7 != "-" ? $7 / $5 : "-"
    printf "%-17s %4s %16s %16s %16s %7s\n", $1, $2, cell($3, $4), cell($5, $6), cell($7, $8), ratio == "-" ? "-" : sprintf("%.3f", ratio)
    if (ratio == "-") next
    group = ($1 ~ /^crane/ ? "crane series" : "others") ", D = " $2
    logs[group] += log(ratio); n[group]++; fh[group] += $6; fp[group] += $8 }
  END { for (g in n) printf "%s: geometric mean %.3f over %d, flaps a day %.1f against %.1f of hpa\n", g, exp(logs[g] / n[g]), n[g], fp[g] / n[g], fh[g] / n[g] }'

#!/bin/bash
# micro.sh: nanoseconds of the three decisions on every connection's path, beside their marks: the slowest detection vector under
# 100 ns, a token under 20 ns uncontended, a pick among 50 modules under 100 ns. The best of REPEATS (default 5) runs counts.
set -euo pipefail
source=$(readlink -f "$(dirname "$0")/../..")
bin=${NLB_BIN:-$source/build/release/bin}
results=$(mktemp)
trap 'rm -f "$results"' EXIT

slowest() {   # slowest PROGRAM FILTER: "ns name" of the slowest case, each case at its best
  "$bin/$1" --benchmark_filter="$2" --benchmark_repetitions="${REPEATS:-5}" --benchmark_min_time=0.02 --benchmark_format=json 2>/dev/null |
    jq -r '[.benchmarks[] | select(.run_type == "iteration")] | group_by(.run_name) | map(min_by(.cpu_time)) | max_by(.cpu_time) |
      "\(.cpu_time) \(.run_name)"'
}
judge() {     # judge WHAT MARK_NS PROGRAM FILTER
  local ns name
  [ -x "$bin/$3" ] || { echo "$3 is not built: build the release preset with Google Benchmark installed" >&2; exit 4; }
  read -r ns name <<<"$(slowest "$3" "$4")"
  awk -v w="$1" -v m="$2" -v n="$ns" -v c="$name" 'BEGIN { printf "%-28s %8.1f ns   mark %4d ns   %-6s %s\n", w, n, m, n < m ? "met" : "MISSED", c }'
}

{
  judge "detect, slowest vector" 100 detect_bench "^slowest"
  judge "take a token" 20 limit_bench "^take_a_token/threads:1$"
  judge "pick among 50 modules" 100 route_bench "^pick/(least_conn|round_robin|random|p2c|hash|latency)/50$"
} | tee "$results"
! grep -q MISSED "$results"

#!/bin/bash
# registry.sh [--markdown]: how fast nlb-registry is on this machine. Each line is measured afresh and held against its mark:
#
#   first        a registration until a request through nlb-forward is answered by that module, median of 30: without a check, and with
#                the first HTTP check in between                                                                          mark:    50 ms
#   snapshot     a new subscriber until it holds 10,000 modules, median of 5                                              mark:   200 ms
#   beats        heartbeats a second that are answered by a registry on one core, the load on the others; 10,000 modules  mark: 5,000/s
#   registrations a second, each kept on disk before it is answered                                                       no mark
#
# Needs the programs (NLB_BIN, default build/release/bin) and nginx. Exits 1 when a mark is missed.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
markdown=false
[ "${1:-}" = --markdown ] && markdown=true
LOAD=$NLB_BIN/registry_load
write_registry_config "modules_per_protocol_max: 20000, modules_per_caller_max: 20000, modules_max: 20000" <<<"log: {level: warn}"
start_site
start_nginx
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

rows=() missed=0
row() {   # row NAME VALUE UNIT MARK LESS_IS_BETTER(1|0)
  local verdict=""
  if [ -n "$4" ]; then
    if awk -v v="$2" -v m="$4" -v l="$5" 'BEGIN { exit !(l ? v < m : v >= m) }'; then verdict=met; else verdict=MISSED missed=1; fi
  fi
  rows+=("$1|$(awk -v v="$2" 'BEGIN { printf v < 1000 ? "%.1f" : "%.0f", v }') $3|${4:+$4 $3}|$verdict")
}

first() { "$LOAD" first "127.0.0.1:$REGISTRY_PORT" --service http --port "$FORWARD_PORT" --backend "$HTTP_PORT" --count 30 --prefix "$1" --check "$1"; }
none=$(first none) protocol=$(first protocol)
row "first request after a registration" "$(jq .median_ms <<<"$none")" ms 50 1
row "the same, with its first check" "$(jq .median_ms <<<"$protocol")" ms 50 1
row "its slowest of 30" "$(jq .most_ms <<<"$protocol")" ms "" 1

core=$(taskset -pc "$REGISTRY_PID" | sed 's/.*: //; s/[,-].*//')
taskset -apc "$core" "$REGISTRY_PID" >/dev/null
rest=$(taskset -pc $$ | sed 's/.*: //')
others=$(awk -v all="$rest" -v one="$core" 'BEGIN { n = split(all, part, ","); for (i = 1; i <= n; i++) { split(part[i], ends, "-"); b = ends[2] == "" ? ends[1] : ends[2]
  for (c = ends[1]; c <= b; c++) if (c != one) out = out (out == "" ? "" : ",") c } print out == "" ? one : out }')
beats=$(taskset -c "$others" "$LOAD" beats "127.0.0.1:$REGISTRY_PORT" --count 10000 --service many --seconds 5 --window 200 --watch "$REGISTRY_PID")
assert_eq "$(jq -c '.codes | keys' <<<"$beats")" '["OK"]' "answers to heartbeats"
row "registrations, kept on disk" "$(jq .registered.per_second <<<"$beats")" /s "" 0
row "heartbeats on one core" "$(jq .per_second <<<"$beats")" /s 5000 0
row "their time, p99" "$(jq .p99_ms <<<"$beats")" ms "" 1
row "CPU of a heartbeat" "$(jq .cpu_us_per_beat <<<"$beats")" us "" 1
for _ in 1 2 3 4 5; do "$LOAD" snapshot "ipc://$NLB_RUNTIME_DIR/registry.bus" --count 10000 | jq .snapshot_ms; done >"$TEMP/snapshots"
row "snapshot of 10,000 modules" "$(median <"$TEMP/snapshots")" ms 200 1
row "memory of the registry, 10,000 modules" "$(awk '/VmRSS/ { print $2 / 1024 }' "/proc/$REGISTRY_PID/status")" MiB "" 1

echo "$(date -u +%F), Linux $(uname -r), $(nproc) x $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), nlb $(git -C "$NLB_SOURCE" rev-parse --short HEAD 2>/dev/null || echo unknown)"
if $markdown; then
  printf '| %s | %s | %s | %s |\n' what measured mark "" --- --- --- ---
  printf '%s\n' "${rows[@]}" | awk -F'|' '{ printf "| %s | %s | %s | %s |\n", $1, $2, $3, $4 }'
else
  printf '%s\n' "${rows[@]}" | awk -F'|' '{ printf "%-42s %14s %14s  %s\n", $1, $2, $3, $4 }'
fi
exit $missed

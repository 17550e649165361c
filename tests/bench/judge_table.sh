#!/bin/bash
# The tables of the judge: false rollbacks of a good release, detection of bad ones, clustered failures. Exits 1 when a gate is missed.
#   tests/bench/judge_table.sh [BIN_DIR] [RUNS] [SEED]
# Gates: a good release is rolled back in at most 1 % of rollouts in every column; x5 is found in 200 s (median), +5 % in 15 s,
# +50 % in 3 s at 500/s; no scenario hurts more clients than the plain e-process with r0 1.25 does (the last column).
set -u
bin=${1:-${NLB_BIN:-build/release/bin}} runs=${2:-2000} seed=${3:-1} missed=0

run() { "$bin/nlb-deploy" simulate -o ndjson --runs "$runs" --seed "$seed" "$@" | tail -1; }
key() { sed -E "s/.*\"$1\":([^,}]*).*/\1/" <<<"$2"; }
exceeds() { awk -v value="$1" -v limit="$2" 'BEGIN { exit !(value == "null" || value + 0 > limit + 0) }'; }
gate() { if exceeds "$1" "$2"; then missed=1; echo "  MISSED: $1 is above $2"; fi; }

good() {   # NAME, then options
  local name=$1 line; shift
  line=$(run "$@")
  printf '%-34s %6.2f %%\n' "$name" "$(awk -v s="$(key rolled_back_share "$line")" 'BEGIN { print 100 * s }')"
  gate "$(key rolled_back_share "$line")" 0.01
}
bad() {   # NAME SECONDS_MAX HARM_MAX, then options
  local name=$1 seconds_max=$2 harm_max=$3 line seconds harm; shift 3
  line=$(run "$@"); seconds=$(key rolled_back_seconds_median "$line"); harm=$(key canary_failures_mean "$line")
  printf '%-34s %6.2f %% %7s s %9.2f   (%s s, %s)\n' "$name" "$(awk -v s="$(key rolled_back_share "$line")" 'BEGIN { print 100 * s }')" \
    "$seconds" "$harm" "$seconds_max" "$harm_max"
  [ "$seconds_max" = - ] || gate "$seconds" "$seconds_max"
  [ "$harm_max" = - ] || gate "$harm" "$harm_max"
}

echo "a good release rolled back ($runs runs, seed $seed)"
good "0.1 %, 500/s" --base 0.001
good "  shared incident" --base 0.001 --incident shared
good "  drifting" --base 0.001 --incident drift
good "2 %" --base 0.02
good "  drifting" --base 0.02 --incident drift
good "0.1 %, 20/s" --base 0.001 --rate 20
good "  shared incident" --base 0.001 --rate 20 --incident shared
good "2 %, shared incident (60 % fail)" --base 0.02 --incident shared
for burst in 3 10 30; do good "0.1 %, bursts of $burst" --base 0.001 --burst $burst; done
good "  and an incident while it drifts" --base 0.001 --burst 10 --incident both
good "0.1 %, 20/s, all of these" --base 0.001 --rate 20 --burst 10 --incident both
good "20 %, an incident while it drifts" --base 0.2 --incident both
echo
echo "a bad release: caught, median time, canary failures (gates)"
bad "x2 of 0.1 %, 500/s" - 90 --effect x2
bad "x5 of 0.1 %" 200 10 --effect x5
bad "+5 %" 15 3.0 --effect +0.05
bad "+50 %" 3 3.3 --effect +0.5
bad "+5 % at 20/s" - 3.7 --effect +0.05 --rate 20
bad "+50 % at 20/s" - 3.1 --effect +0.5 --rate 20
bad "x3 of 2 % drifting" - 22 --effect x3 --base 0.02 --incident drift
for burst in 3 10 30; do bad "x5 of 0.1 %, bursts of $burst" - - --effect x5 --burst $burst; done
echo
echo "why clients are counted and not failures: a good release rolled back when raw failures are judged"
for burst in 3 10 30; do
  line=$(run --base 0.001 --burst $burst --count raw)
  printf '%-34s %6.2f %%\n' "bursts of $burst, raw" "$(awk -v s="$(key rolled_back_share "$line")" 'BEGIN { print 100 * s }')"
done
exit $missed

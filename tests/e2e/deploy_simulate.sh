#!/bin/bash
# nlb-deploy simulate: keys and outcomes of its NDJSON, one seed one answer, the gates, recorded counters, refusals.
set -eu
deploy=$NLB_BIN/nlb-deploy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
die() { echo "$*" >&2; exit 1; }

"$deploy" simulate --rate 500 --base 0.001 --effect x5 --incident none --burst 1 --runs 50 --seed 1 -o ndjson > "$dir/a"
"$deploy" simulate --effect x5 --runs 50 --seed 1 -o ndjson | cmp - "$dir/a" || die "the same seed gave another answer"
taskset -c 0 "$deploy" simulate --effect x5 --runs 50 --seed 1 -o ndjson | cmp - "$dir/a" || die "one core gave another answer"
"$deploy" simulate --effect x5 --runs 50 --seed 2 -o ndjson | cmp -s - "$dir/a" && die "another seed gave the same answer"
[ "$(wc -l < "$dir/a")" = 51 ] || die "50 runs and a summary are 51 lines"
python3 - "$dir/a" <<'P'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
runs, summary = lines[:-1], lines[-1]
assert all({"outcome", "seconds", "canary_failures"} <= run.keys() for run in runs), runs[0]
assert {run["outcome"] for run in runs} == {"rolled_back"} and summary["rolled_back"] == 50 == summary["runs"], summary
P

NLB_BIN=$NLB_BIN bash "$(dirname "$0")/../bench/judge_table.sh" "$NLB_BIN" 1000 7 || die "a gate was missed"

python3 - "$dir" <<'P'
import json, sys
good = {"canary_attempts": 5, "canary_failures": 0, "stable_attempts": 495, "stable_failures": 1}
bad = dict(good, canary_failures=1)
open(sys.argv[1] + "/good", "w").writelines(json.dumps(good) + "\n" for _ in range(1700))
open(sys.argv[1] + "/bad", "w").writelines(json.dumps(bad) + "\n" for _ in range(1700))
open(sys.argv[1] + "/short", "w").writelines(json.dumps(good) + "\n" for _ in range(60))
P
"$deploy" simulate --counters "$dir/good" -o ndjson | grep '"outcome":"promoted"' >/dev/null || die "a good record wasn't promoted"
"$deploy" simulate --counters - -o ndjson < "$dir/bad" | grep '"outcome":"rolled_back"' >/dev/null || die "a bad record wasn't rolled back"
"$deploy" simulate --counters "$dir/short" -o ndjson | grep '"outcome":"undecided"' >/dev/null || die "a minute decided"

refused() { local code=$1; shift; local got=0; "$deploy" simulate "$@" >/dev/null 2>"$dir/err" || got=$?; [ "$got" = "$code" ] || die "$*: exit $got, not $code"; }
refused 2 --effect y5
refused 2 --steps 5,1
refused 2 --steps 0
for number in nan inf -inf; do refused 2 --base $number; refused 2 --rate $number; refused 2 --step=$number; refused 2 --alpha=$number; done
grep -q "is no finite number" "$dir/err" || die "why: $(cat "$dir/err")"
refused 4 --counters "$dir/absent"
echo '{"canary_attempts":1}' > "$dir/broken"; refused 6 --counters "$dir/broken"

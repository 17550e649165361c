#!/bin/bash
# examples/quickstart.sh as people run it: seven right rows, nothing left running; with --keep all is up, and the shown line ends it.
. "$(dirname "$0")/../support/lib.sh"
export TMPDIR=$TEMP NLB_BIN NLB_SOURCE   # its folders are below ours, so that what it starts can be told from others' processes

"$NLB_SOURCE/examples/quickstart.sh" >"$TEMP/table" 2>"$TEMP/quickstart.log" || fail "quickstart.sh: $(cat "$TEMP/table")"
assert_eq "$(awk '$1 == "CLIENT" { on = 1; next } on && NF' "$TEMP/table" | wc -l)" 7 "rows"
for word in http tls redis postgresql mysql mongodb rtmp; do grep -qw "$word" "$TEMP/table" || fail "$word is missing: $(cat "$TEMP/table")"; done
left() { pgrep -f "$TEMP/nlb-e2e-" || true; }
assert_eq "$(left)" "" "processes left running"

"$NLB_SOURCE/examples/quickstart.sh" --keep >"$TEMP/table" 2>>"$TEMP/quickstart.log" || fail "--keep"
stop=$(sed -n 's/^to end it: bash //p' "$TEMP/table")
mapfile -t kept < <(awk '$1 == "kill" { print $3 }' "$stop")
for pid in "${kept[@]}"; do PIDS+=("$pid KILL"); alive "$pid" || fail "--keep: process $pid does not run"; done
assert_eq ${#kept[@]} 6 "processes that are up"
$(sed -n 's/^ *\(.*nlb-forward status --config .*\)/\1/p' "$TEMP/table") -o ndjson | jq -e . >/dev/null || fail "the shown status command"
timeout 60 bash "$stop" || fail "ending it"
assert_eq "$(left)" "" "processes left running after --keep was ended"

#!/bin/bash
# A truncated or damaged capture gives what could be read, a clear error and exit code 6; absent files and wrong usage have codes of their own.
. "$(dirname "$0")/../support/lib.sh"
inspect() { "$NLB_BIN/nlb-inspect" "$@"; }

/usr/bin/python3 "$SUPPORT/make_pcap.py" mixed "$TEMP/whole.pcap" --flows 12
size=$(stat -c %s "$TEMP/whole.pcap")
head -c $((size - 5)) "$TEMP/whole.pcap" >"$TEMP/cut.pcap"
assert_exit 6 inspect "$TEMP/cut.pcap" >"$TEMP/flows"
assert_eq "$(wc -l <"$TEMP/flows")" 12 "flows of a truncated capture"
assert_contains "$(cat "$TEMP/stderr")" "cut.pcap is truncated: the record after packet"

{ head -c 1000 "$TEMP/whole.pcap"; head -c 4000 /dev/zero | tr '\0' '\377'; } >"$TEMP/damaged.pcap"
assert_exit 6 inspect "$TEMP/damaged.pcap" >"$TEMP/flows"
assert_contains "$(cat "$TEMP/stderr")" "damaged.pcap is damaged"
assert_contains "$(cat "$TEMP/flows")" '"protocol":"http"' "what came before the damage"

echo hello >"$TEMP/text"
assert_exit 6 inspect "$TEMP/text"
assert_contains "$(cat "$TEMP/stderr")" "neither pcap, pcapng nor snoop"
: >"$TEMP/empty"
assert_exit 6 inspect "$TEMP/empty"
assert_exit 4 inspect "$TEMP/absent"
assert_exit 2 inspect --no-such-flag
assert_exit 2 inspect -f 'tcp prot 80' "$TEMP/whole.pcap"
assert_exit 2 inspect --idle 5 "$TEMP/whole.pcap"
assert_exit 1 inspect -p rtmp "$TEMP/whole.pcap"
assert_exit 2 script -qec "$NLB_BIN/nlb-inspect -" /dev/null </dev/null >"$TEMP/terminal"
assert_contains "$(cat "$TEMP/terminal")" "standard input is a terminal"

# a file that fails doesn't keep the others from being read
assert_exit 6 inspect "$TEMP/cut.pcap" "$TEMP/whole.pcap" >"$TEMP/flows"
assert_eq "$(grep -c '"file":".*/whole.pcap"' "$TEMP/flows")" 12 "flows of the second file"
# a closed pipe ends it quietly
{ inspect "$TEMP/whole.pcap" 2>"$TEMP/stderr" || true; } | head -1 >/dev/null
assert_eq "$(cat "$TEMP/stderr")" "" "stderr after a closed pipe"

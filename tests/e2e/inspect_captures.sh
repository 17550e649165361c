#!/bin/bash
# Every flow of real captures with labels is right by content alone; skipped where the captures are absent.
. "$(dirname "$0")/../support/lib.sh"
exec /usr/bin/python3 "$NLB_SOURCE/tests/bench/score_captures.py" --nlb-inspect "$NLB_BIN/nlb-inspect"

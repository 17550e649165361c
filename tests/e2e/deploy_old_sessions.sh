#!/bin/bash
# What becomes of the canary's open sessions on a rollback is what was asked for: they stay, end at a deadline, or are reset at once.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
modules=""
for version in v1 v2; do
  start_nginx $version
  modules+=$(module "$version" http "$HTTP_PORT" "service: web, version: $version")$'\n'
done
start_controller
start_forward <<<"$(listener)"$'\nmodules:\n'"${modules}routes: [{protocol: http, service: web}]"
deploy init web --stable v1 >/dev/null
eventually 15 split_is_applied
session_ends() {   # session_ends OPTIONS...: eight sessions at 50 %, a rollback; LOG has what became of those on v2
  canary start web --to v2 --steps 50 --every 1h --pause "$@" >/dev/null
  deploy set-weight web 50 >/dev/null
  eventually 15 applied_by 1
  LOG=$TEMP/hold.$#
  "$PYTHON" "$SUPPORT/versions.py" hold "$FORWARD_PORT" 1 2 3 4 5 6 7 8 >"$LOG" 2>&1 &
  HOLD=$!
  PIDS+=("$HOLD TERM")
  all_up() { [ "$(grep -c ' v[12]$' "$LOG")" = 8 ]; }
  eventually 15 all_up
  BEGIN=$(date +%s%N)
  deploy rollback web >/dev/null
  eventually 40 phase_is rolled_back
}
of_v2() { awk '$2 == "v2" { on[$1] = 1 } ($2 == "reset" || $2 == "ended") && ($1 in on) { n++ } END { print n + 0 }' "$LOG"; }
v2_sessions() { grep -c ' v2$' "$LOG"; }
others() { awk '$2 == "v1" { on[$1] = 1 } ($2 == "reset" || $2 == "ended") && ($1 in on) { n++ } END { print n + 0 }' "$LOG"; }
all_ended() { [ "$(of_v2)" = "$(v2_sessions)" ]; }

session_ends --old-sessions reset
eventually 5 all_ended
assert_eq "$(others)" 0 "sessions of v1 that ended as well"
kill "$HOLD"
session_ends --old-sessions deadline --old-sessions-deadline 3s
eventually 10 all_ended
assert_between $((($(date +%s%N) - BEGIN) / 1000000)) 2500 10000 "ms from the rollback to the deadline"
assert_eq "$(others)" 0 "sessions of v1 that ended as well"
kill "$HOLD"
session_ends
for _ in 1 2 3 4 5 6; do assert_eq "$(of_v2)" 0 "sessions of v2 that were ended, though they may stay"; sleep 0.5; done
kill "$HOLD"

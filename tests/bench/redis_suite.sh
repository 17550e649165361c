#!/bin/bash
# redis_suite.sh [OPTIONS]: Redis's own test suite (its mode for a server that it did not start) against a redis-server, and then the same
# through nlb-forward's port, where each connection is detected first. A test that passes only without nlb-forward is a fault of it.
#
#   --restarts     seamless restarts (USR2) and reloads (HUP), one a second, all the while
#   --source DIR   an unpacked source of Redis (default: apt-get source redis, into a temporary folder)
#   --tags TAGS    which tests, as the suite's own --tags (default -slow, as Redis's own checks of external servers have it)
#   --only TEST    one test by its name, or /PATTERN; may be repeated
#
# With one worker: the suite takes for granted that what it sends on one connection and then on another arrives in that order, which
# several workers don't promise (BRPOPLPUSH with multiple blocked clients then waits for ever).
#
# Prints one JSON line; exit code 1 when a test differs. Takes two times 5 minutes. Needs the package tcl; dpkg-dev, and the network where
# --source is not given.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
. "$(dirname "$(readlink -f "$0")")/../support/lib.sh"

restarts='' source='' suite_options=(--durable --timeout 300) tags=-slow
while [ $# -gt 0 ]; do
  case $1 in
    --restarts) restarts=1 ;;
    --source) source=$(readlink -f "$2"); shift ;;
    --tags) tags=$2; shift ;;
    --only) suite_options+=(--only "$2"); shift ;;
    *) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
  shift
done
command -v tclsh >/dev/null || fail "tclsh is not installed: Redis's suite is written in Tcl: install the package tcl"

# The source lists of this machine, for sources, in a folder of our own: the system's own lists stay as they are.
fetch_source() {
  local options=(-qq -o "Dir::Etc::SourceList=$TEMP/apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$TEMP/apt/lists" -o "Dir::Cache=$TEMP/apt")
  mkdir -p "$TEMP"/apt/{lists,archives}/partial
  # shellcheck disable=SC2016 # the names are apt's
  apt-get indextargets --format 'deb-src $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u >"$TEMP/apt/sources.list"
  { [ -s "$TEMP/apt/sources.list" ] && apt-get "${options[@]}" update && cd "$TEMP/apt" && apt-get "${options[@]}" source redis; } \
    >"$TEMP/apt.log" 2>&1 </dev/null || fail "the source of Redis is not to be had with apt-get source redis: see the log below: unpack" \
    "redis_VERSION.orig.tar.gz of the installed version ($(redis-server --version | cut -d' ' -f3)) anywhere, and say --source FOLDER"
}
if [ -z "$source" ]; then
  (fetch_source)
  source=$(printf '%s\n' "$TEMP"/apt/redis-*/ | head -1)
fi
[ -f "$source/tests/test_helper.tcl" ] || fail "$source holds no source of Redis: tests/test_helper.tcl is not there: unpack redis_VERSION.orig.tar.gz, and name its folder"
cp -r "$source" "$TEMP/source"
for program in redis-server redis-cli redis-benchmark; do ln -sf "$(command -v $program)" "$TEMP/source/src/$program"; done

# suite NAME PORT: in the background, as process SUITE. It talks to its parts by a port that it looks for from 32 under --baseport on.
suite() {
  free_port SUITE_PORT
  (cd "$TEMP/source" && exec tclsh tests/test_helper.tcl --host 127.0.0.1 --port "$2" --baseport $((SUITE_PORT + 32)) --tags "$tags" "${suite_options[@]}" >"$TEMP/$1.out" 2>&1) &
  SUITE=$!
  PIDS+=("$SUITE TERM")
}
outcomes() { sed -nE 's/ \([0-9]+ ms\)$//; s/^\[(ok|err|exception)\]: (.*)/\1 \2/p' "$TEMP/$1.out" | sed -E 's/^(err .*) in tests\/.*/\1/' | LC_ALL=C sort; }
count() { grep -c "^$2" "$TEMP/$1.outcomes" || true; }
ended() {   # ended NAME: its outcomes are kept; it went through to its end, and stood still nowhere
  sed -i 's/\x1b\[[0-9;]*m//g' "$TEMP/$1.out"                             # colours
  outcomes "$1" >"$TEMP/$1.outcomes"
  grep -q "The End" "$TEMP/$1.out" || { tail -20 "$TEMP/$1.out" >&2; fail "the suite ($1) did not come to its end"; }
  ! grep -A3 '^\[TIMEOUT\]' "$TEMP/$1.out" >&2 || fail "the suite ($1) stood still for 5 minutes"
  [ "$(count "$1" ok)" -gt 0 ] || fail "the suite ($1) ran no test"
}
redis_for_suite() { start_redis "$1" --enable-debug-command yes --enable-protected-configs yes --enable-module-command yes; }

redis_for_suite direct
suite direct "$REDIS_PORT"
wait "$SUITE" || true                                                  # what fails here is not ours
ended direct

redis_for_suite cache
start_forward --workers 1 --pid-file "$TEMP/forward.pid" <<YAML
$(listener)
fallback: redis
services: {redis: {drain_timeout: 1h, idle_timeout: 1h}}
modules:
$(module cache-1 redis "$REDIS_PORT")
log: {level: info, access: {file: "$ACCESS_LOG"}}
YAML
takeovers=0 reloads=0
suite port "$FORWARD_PORT"
while [ -n "$restarts" ] && alive "$SUITE"; do
  kill -HUP "$FORWARD_PID"
  reloads=$((reloads + 1))
  sleep 1
  succeed
  takeovers=$((takeovers + 1))
  sleep 1
done
wait "$SUITE" || true
ended port
eventually 30 no_session_left

jq -s -c --argjson tests "$(count port ok)" --argjson failed "$(grep -vc '^ok' "$TEMP/direct.outcomes" || true)" --argjson takeovers $takeovers \
  --argjson reloads $reloads '{tests: $tests, failed_without_nlb: $failed, takeovers: $takeovers, reloads: $reloads, sessions: length,
    undetected: map(select(.protocol != "redis")) | length, ends: (group_by(.end) | map({(.[0].end): length}) | add)}' "$ACCESS_LOG"
LC_ALL=C comm -3 "$TEMP/direct.outcomes" "$TEMP/port.outcomes" | sed -E 's/^\t/with nlb-forward: /; t; s/^/without: /' >"$TEMP/differences"
[ ! -s "$TEMP/differences" ] || { cat "$TEMP/differences" >&2; grep -A12 '^\[\(err\|exception\)\]' "$TEMP/port.out" >&2; fail "tests differ"; }

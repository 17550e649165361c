#!/bin/bash
# --daemon: the command returns when the daemon serves; the pid file names it and keeps a second one out; TERM ends it and removes the file.
. "$(dirname "$0")/../support/lib.sh"
start_redis
write_config <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

"$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --daemon --pid-file "$TEMP/forward.pid" 2>"$TEMP/forward.log" || fail "the start"
FORWARD_PID=$(cat "$TEMP/forward.pid")
PIDS+=("$FORWARD_PID KILL")
assert_eq "$(redis_through get whoami)" redis "traffic, as soon as the command has returned"
assert_exit 6 "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --daemon --pid-file "$TEMP/forward.pid"
assert_contains "$(cat "$TEMP/stderr")" "process $FORWARD_PID runs with it"
assert_eq "$(redis_through get whoami)" redis "traffic after the second attempt"
stop "$FORWARD_PID"
[ ! -e "$TEMP/forward.pid" ] || fail "the pid file is left"

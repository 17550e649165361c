#!/bin/bash
# A second TERM ends at once what the first one would have waited for.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 10 <"$TEMP/hold" >"$TEMP/held" 2>/dev/null & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
kill -TERM "$FORWARD_PID"
eventually 10 grep -q draining "$TEMP/forward.log"
alive "$FORWARD_PID" || fail "it did not wait for its sessions"
kill -TERM "$FORWARD_PID"
code=0; wait "$FORWARD_PID" || code=$?
assert_eq $code 0 "exit code"
! wait $holder || fail "the sessions should have been closed"

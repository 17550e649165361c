#!/bin/bash
# A module that leaves the configuration keeps its open sessions until the drain timeout and gets no new ones.
. "$(dirname "$0")/../support/lib.sh"
start_redis old; old=$REDIS_PORT
start_redis new; new=$REDIS_PORT
config() { printf '%s\n' "$(listener)" "services: {redis: {drain_timeout: 3s, drain_jitter: 0s}}" modules: "$(module "$1" redis "$2")"; }
config old "$old" >"$TEMP/first.yaml"
start_forward <"$TEMP/first.yaml"

mkfifo "$TEMP/session"
timeout 60 redis-cli -p "$FORWARD_PORT" <"$TEMP/session" >"$TEMP/out" 2>&1 &
exec {session}>"$TEMP/session"
ask() { echo "get whoami" >&"$session"; }
answers() { [ "$(grep -c old "$TEMP/out")" = "$1" ]; }
ask; eventually 10 answers 1
config new "$new" | write_config
kill -HUP "$FORWARD_PID"
fresh() { [ "$(redis_through get whoami)" = new ]; }
eventually 10 fresh
ask; eventually 10 answers 2                       # the old session goes on
eventually 20 logged 'select(.module == "old" and .end == "drained")'
exec {session}>&-
eventually 10 no_session_left

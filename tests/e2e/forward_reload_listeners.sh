#!/bin/bash
# HUP opens new listeners and closes those that have gone, whose open sessions go on; a new one that cannot be bound refuses the reload whole.
. "$(dirname "$0")/../support/lib.sh"
start_redis
free_port SECOND_PORT
config() {   # config PORT...: a listener for each
  echo "listen:"
  for port in "$@"; do echo "  - {name: \"on-$port\", address: \"127.0.0.1:$port\"}"; done
  printf '%s\n' modules: "$(module cache-1 redis "$REDIS_PORT")"
}
config "$FORWARD_PORT" >"$TEMP/first.yaml"
start_forward <"$TEMP/first.yaml"
reload() { config "$@" | write_config; kill -HUP "$FORWARD_PID"; }
answers() { [ "$(timeout 5 redis-cli -p "$1" ping)" = PONG ]; }
refuses() { ! answers "$1"; }

mkfifo "$TEMP/session"
timeout 60 redis-cli -p "$FORWARD_PORT" <"$TEMP/session" >"$TEMP/out" 2>&1 &
exec {session}>"$TEMP/session"
echo "get whoami" >&"$session"; eventually 10 grep -q redis "$TEMP/out"

reload "$FORWARD_PORT" "$SECOND_PORT"
eventually 10 answers "$SECOND_PORT"
answers "$FORWARD_PORT" || fail "the first listener, beside the second"
reload "$SECOND_PORT"
eventually 10 refuses "$FORWARD_PORT"
answers "$SECOND_PORT" || fail "the second listener, without the first"
echo "dbsize" >&"$session"; eventually 10 grep -qx 1 "$TEMP/out"          # a session of the listener that has gone

reload "$FORWARD_PORT" "$REDIS_PORT"                                      # where redis-server listens
eventually 10 grep -q 'reload refused' "$TEMP/forward.log"
assert_contains "$(grep 'reload refused' "$TEMP/forward.log")" "127.0.0.1:$REDIS_PORT" "the reason"
answers "$SECOND_PORT" || fail "the old listeners, after a refused reload"
refuses "$FORWARD_PORT" || fail "half of a refused reload is in force"
exec {session}>&-

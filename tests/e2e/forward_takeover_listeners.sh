#!/bin/bash
# A takeover with another list of ports: what stays loses no connection, what is new answers, what is gone refuses, and a session on a
# port that is gone goes on in the old process.
. "$(dirname "$0")/../support/lib.sh"
start_redis
free_port GONE_PORT; free_port NEW_PORT
config() {   # config PORT...: a listener for each
  echo "listen:"
  for port in "$@"; do echo "  - {name: \"on-$port\", address: \"127.0.0.1:$port\"}"; done
  printf '%s\n' modules: "$(module cache-1 redis "$REDIS_PORT" "max_connections: 20000")"
}
config "$FORWARD_PORT" "$GONE_PORT" >"$TEMP/first.yaml"
start_forward --pid-file "$TEMP/forward.pid" <"$TEMP/first.yaml"
old=$FORWARD_PID
answers() { [ "$(timeout 5 redis-cli -p "$1" ping)" = PONG ]; }
refuses() { ! answers "$1"; }
mkfifo "$TEMP/session"
timeout 100 redis-cli -p "$GONE_PORT" <"$TEMP/session" >"$TEMP/out" 2>&1 &
exec {session}>"$TEMP/session"
echo "get whoami" >&"$session"; eventually 10 grep -q redis "$TEMP/out"
redis-benchmark -p "$FORWARD_PORT" -t ping_mbulk -n 40000 -c 20 -k 0 -q >"$TEMP/bench" 2>&1 & bench=$!

config "$NEW_PORT" "$FORWARD_PORT" | write_config
succeed
answers "$NEW_PORT" || fail "the new port"
answers "$FORWARD_PORT" || fail "the port that stays"
eventually 10 refuses "$GONE_PORT"
wait $bench || fail "connections to the port that stays"
! grep -qi error "$TEMP/bench" || fail "$(cat "$TEMP/bench")"
assert_eq "$(curl -s "$ADMIN/status" | jq -r '[.listeners[].address] | sort | join(" ")')" \
  "$(printf '%s\n' "127.0.0.1:$FORWARD_PORT" "127.0.0.1:$NEW_PORT" | sort | paste -sd' ')" "listeners"
echo "dbsize" >&"$session"; eventually 10 grep -qx 1 "$TEMP/out"
alive "$old" || fail "the old process did not wait for its session"
exec {session}>&-
eventually 20 gone "$old"

#!/bin/bash
# redis-cli through the port: RESP commands, an inline command, pipelines, a blocking subscription.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

assert_eq "$(redis_through get whoami)" redis "GET"
assert_eq "$(peer send "$FORWARD_PORT" "$(printf 'PING\r\nQUIT\r\n' | hex)")" "$(printf '+PONG\r\n+OK\r\n' | hex) eof" "inline commands"
seq 20000 | awk '{ printf "SET key%d %d\r\n", $1, $1 }' | timeout 30 redis-cli -p "$FORWARD_PORT" --pipe >"$TEMP/pipeline"
assert_contains "$(cat "$TEMP/pipeline")" 'errors: 0, replies: 20000' "a pipeline of 20,000 commands"
assert_eq "$(redis_through dbsize)" 20001 "keys"

timeout 20 redis-cli -p "$FORWARD_PORT" subscribe news >"$TEMP/news" &
subscriber=$!
eventually 10 grep -q subscribe "$TEMP/news"
assert_eq "$(redis_through publish news hello)" 1 "subscribers"
eventually 10 grep -q hello "$TEMP/news"
kill $subscriber

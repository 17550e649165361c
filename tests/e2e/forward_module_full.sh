#!/bin/bash
# A full module is skipped, never overfilled; when all are full a session waits in the queue and is served when a place is free.
. "$(dirname "$0")/../support/lib.sh"
start_redis one; one=$REDIS_PORT
start_redis two; two=$REDIS_PORT
start_forward <<YAML
$(listener)
services:
  redis: {queue: {max: 10, timeout: 20s}}
modules:
$(module one redis "$one" "max_connections: 3")
$(module two redis "$two" "max_connections: 5")
YAML

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 8 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
assert_eq "$(metric nlb_active_connections module=one protocol=redis)" 3 "sessions of the smaller module"
assert_eq "$(metric nlb_active_connections module=two protocol=redis)" 5 "sessions of the larger module"
timeout 20 redis-cli -p "$FORWARD_PORT" ping >"$TEMP/waited" {until}>&- & waiter=$!   # without the end of the pipe that ends the holder
queued() { [ "$(ss -tnH state established "dport = :$FORWARD_PORT" | wc -l)" = 9 ]; }
eventually 10 queued
assert_eq "$(cat "$TEMP/waited")" "" "the ninth session, while all is full"
exec {until}>&-
wait $holder
wait $waiter
assert_eq "$(cat "$TEMP/waited")" PONG "the session that waited"

#!/bin/bash
# A full module is skipped, never overfilled; when all are full a session waits in the queue and is served when a place is free. Each
# service has a queue of its own, which all workers share.
. "$(dirname "$0")/../support/lib.sh"
start_redis one; one=$REDIS_PORT
start_redis two; two=$REDIS_PORT
free_port OTHER_PORT
start_forward --workers 2 <<YAML
listen: [{name: edge, address: "127.0.0.1:$FORWARD_PORT"}, {name: other, address: "127.0.0.1:$OTHER_PORT"}]
services:
  redis: {queue: {max: 2, timeout: 20s}}
  other: {queue: {max: 1, timeout: 20s}}
routes: [{listener: other, service: other}]
modules:
$(module one redis "$one" "max_connections: 3")
$(module two redis "$two" "max_connections: 5")
$(module third redis "$two" "service: other, max_connections: 1")
YAML

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 8 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
assert_eq "$(metric nlb_active_connections module=one protocol=redis)" 3 "sessions of the smaller module"
assert_eq "$(metric nlb_active_connections module=two protocol=redis)" 5 "sessions of the larger module"
wait_for() { timeout 20 redis-cli -p "$1" ping >"$TEMP/$2" 2>&1 {until}>&- & }   # without the end of the pipe that ends the holder
queued() { curl -sf "$ADMIN/status" | jq -e ".services[] | select(.name == \"$1\") | .queued == $2" >/dev/null; }
wait_for "$FORWARD_PORT" first; first=$!
wait_for "$FORWARD_PORT" second; second=$!
eventually 10 queued redis 2
assert_contains "$(timeout 20 redis-cli -p "$FORWARD_PORT" ping 2>&1)" "reset by peer" "the eleventh session, when the queue is full"
exec {held}<>"/dev/tcp/127.0.0.1/$OTHER_PORT"
printf 'PING\r\n' >&"$held"
read -r -t 10 -u "$held" answer
assert_eq "$answer" $'+PONG\r' "the first session of the other service"
wait_for "$OTHER_PORT" third {held}>&-; third=$!
eventually 10 queued other 1                                     # its own queue has a place, whatever waits elsewhere
assert_eq "$(cat "$TEMP"/{first,second,third})" "" "who waits, while all is full"
exec {until}>&- {held}>&-
wait $holder $first $second $third
assert_eq "$(cat "$TEMP"/{first,second,third} | sort -u)" PONG "the sessions that waited"
eventually 10 queued redis 0
queued other 0 || fail "nobody waits any more"

#!/bin/bash
# redis-benchmark's kinds of load through the port: no reply is lost, short connections and deep pipelines alike.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

load() {   # load REQUESTS OPTIONS...: exit 0, a rate, and no word of an error
  timeout 120 redis-benchmark -h 127.0.0.1 -p "$FORWARD_PORT" -q -n "$@" >"$TEMP/load" 2>&1 || fail "redis-benchmark $*: $(tail -3 "$TEMP/load")"
  ! grep -qi error "$TEMP/load" || fail "redis-benchmark $*: $(grep -i error "$TEMP/load" | head -3)"
  grep -q 'requests per second' "$TEMP/load" || fail "redis-benchmark $* gave no rate"
}
load 20000 -c 50 -t ping,set,get,incr,lpush,rpop,sadd,hset,zadd,mset
load 100000 -c 20 -P 32 -t set,get
load 200 -c 10 -t lrange_600
load 200 -c 4 -d 1000000 -t set,get                  # values of a megabyte
load 3000 -c 30 -k 0 -t ping_mbulk                   # a connection per request
assert_between "$(metric nlb_routed_connections_total module=cache-1)" 3000 10000 "sessions"
assert_eq "$(metric nlb_routing_errors_total)" 0 "routing errors"
eventually 10 no_session_left

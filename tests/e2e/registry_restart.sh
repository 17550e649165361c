#!/bin/bash
# kill -9 and a restart keep the modules with full leases; a lost disk is filled again by the modules' own heartbeats.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_registry
start_redis
for name in a b c; do
  registry register --name $name --protocol redis --address "127.0.0.1:$REDIS_PORT" --module-version v2 >/dev/null
done
registry drain redis/c >/dev/null
run keeper "$NLB_BIN/nlb-registry" register --name kept --protocol redis --address "127.0.0.1:$REDIS_PORT" --lease 1s --keep
keeper=$PID
eventually 10 module_is redis/kept health healthy
epoch=$(registry stats -o ndjson | jq .epoch)

kill_registry
assert_exit 4 registry list
start_registry
assert_eq "$(modules)" "redis/a redis/b redis/c redis/kept " "modules after kill -9"
assert_eq "$(state_of redis/c phase)" draining "an operator's drain survives"
assert_eq "$(state_of redis/a version)" v2 "the record survives"
[ "$(registry stats -o ndjson | jq .epoch)" -gt "$epoch" ] || fail "the epoch did not grow"

epoch=$(registry stats -o ndjson | jq .epoch)
kill_registry
rm -rf "$NLB_STATE_DIR"
start_registry
eventually 10 is_listed redis/kept                             # its next heartbeat was told to register again
[ "$(registry stats -o ndjson | jq .epoch)" -gt "$epoch" ] || fail "the epoch went back with the disk"
stop "$keeper"
eventually 10 is_gone redis/kept                               # TERM unregisters

assert_exit 4 "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml" --set admin.address=127.0.0.1:0 --set registry.grpc=127.0.0.1:0
assert_contains "$(cat "$TEMP/stderr")" "$REGISTRY_PID" "a second registry on one state folder is refused, with the holder's pid"

#!/bin/bash
# Register, renew, expire; a newer process takes a name over and the older is told to stop; drain, health, unregister.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
assert_exit 4 registry list                                    # nobody answers yet
start_registry
start_redis

first=$(registry register --name a --protocol redis --address "127.0.0.1:$REDIS_PORT" --check-interval 200ms -o ndjson)
assert_eq "$(jq -r .created <<<"$first")" true "created"
eventually 10 module_is redis/a health healthy
again=$(registry register --name a --protocol redis --address "127.0.0.1:$REDIS_PORT" --check-interval 200ms --weight 50 -o ndjson)
assert_eq "$(jq -r .created <<<"$again")" false "registering again renews"
assert_eq "$(jq -r .lease_id <<<"$again")" "$(jq -r .lease_id <<<"$first")" "the lease of one process"
assert_eq "$(state_of redis/a weight)" 50 "registering again updates"

registry register --name short --protocol redis --address "127.0.0.1:$REDIS_PORT" --lease 1s --check none >/dev/null
is_listed redis/short || fail "the short lease is missing"
eventually 10 is_gone redis/short                              # nobody beats for it
is_listed redis/a || fail "a lease of 30 s ended too early"

registry register --name b --protocol redis --address "127.0.0.1:$REDIS_PORT" --lease 1s --keep --incarnation 5 >"$TEMP/old.log" 2>&1 &
old=$!
PIDS+=("$old TERM")
eventually 10 is_listed redis/b
registry register --name b --protocol redis --address "127.0.0.1:$REDIS_PORT" --incarnation 6 >/dev/null
code=0; wait "$old" || code=$?
assert_eq $code 1 "the older process is told to stop"
assert_contains "$(cat "$TEMP/old.log")" "newer process" "and why"
assert_exit 6 registry register --name b --protocol redis --address "127.0.0.1:$REDIS_PORT" --incarnation 5
assert_contains "$(cat "$TEMP/stderr")" ABORTED "an older process can't come back"
is_listed redis/b || fail "the newer process lost its place"

registry drain redis/a --reason maintenance >/dev/null
assert_eq "$(state_of redis/a phase)" draining "drained"
assert_eq "$(state_of redis/a routable)" false "no new sessions"
registry drain redis/a --cancel >/dev/null
assert_eq "$(state_of redis/a phase)" up "drain cancelled"
registry health redis/a unhealthy --reason "disk full" >/dev/null
assert_exit 1 registry health redis/a
assert_contains "$(state_of redis/a reason)" "disk full" "the module's own word"
registry health redis/a unknown >/dev/null
eventually 10 module_is redis/a health healthy
registry unregister redis/a >/dev/null
is_gone redis/a || fail "still there"
assert_exit 6 registry unregister redis/a
assert_exit 6 registry register --name x --protocol redis --address 192.0.2.1:80
assert_contains "$(cat "$TEMP/stderr")" allow_addresses "the refusal says what to do"
assert_eq "$(curl -s -o /dev/null -w '%{http_code}' "$REGISTRY_ADMIN/readyz")" 200 readyz
metrics=$(curl -s "$REGISTRY_ADMIN/metrics")
assert_contains "$metrics" 'nlb_registry_calls_total{method="RegisterModule",code="ABORTED"} 1' "the refused call is counted"
kill "$REGISTRY_PID"
code=0; wait "$REGISTRY_PID" || code=$?
assert_eq $code 0 "TERM ends it in order"

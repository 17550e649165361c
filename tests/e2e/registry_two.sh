#!/bin/bash
# Two registries on one etcd, requests flowing: the one that leads is killed with SIGKILL, the other serves the same modules within the
# lease time, and the forwarder notices nothing but what changes afterwards.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_pair 2s
start_nginx one; one=$HTTP_PORT
start_nginx two; two=$HTTP_PORT
start_forward <<YAML
$(listener)
routes: [{protocol: http, service: http}]
$PAIR_BUS
YAML
run keeper "$NLB_BIN/nlb-registry" register --name a --protocol http --address "127.0.0.1:$one" --lease 3s --check-interval 500ms --keep
eventually 20 module_is http/a health healthy
names_leader() { [[ "$(NLB_ENDPOINT=127.0.0.1:$SECOND registry list 2>&1)" == *"ask 127.0.0.1:$FIRST"* ]]; }
eventually 10 names_leader
eventually 20 answer_is "hello from one"
start_flow
epoch=$(registry stats -o ndjson | jq .epoch)
taken_out=(register --name out --protocol http --address "127.0.0.1:$two" --check none --keep --incarnation 5)
run out "$NLB_BIN/nlb-registry" "${taken_out[@]}"
eventually 10 is_listed http/out
registry unregister http/out >/dev/null

kill -KILL "$FIRST_PID"
eventually 6 leads "$SECOND_ADMIN"
assert_eq "$(modules)" "http/a " "the same modules"
[ "$(registry stats -o ndjson | jq .epoch)" -gt "$epoch" ] || fail "the second leader's epoch is not greater"
assert_exit 6 timeout 20 "$NLB_BIN/nlb-registry" "${taken_out[@]}"      # whom the operator took out stays out
eventually 10 module_is http/a health healthy
registry register --name b --protocol http --address "127.0.0.1:$two" --check-interval 500ms >/dev/null
eventually 20 answer_is "hello from two"                        # the forwarder hears the new leader
registry drain http/a >/dev/null
only_two() { for _ in 1 2 3 4 5 6; do answer_is "hello from two" || return 1; done; }
eventually 20 only_two
end_flow

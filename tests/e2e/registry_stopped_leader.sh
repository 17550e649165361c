#!/bin/bash
# A leader that was stopped (SIGSTOP) longer than its lease finds another in its place when it goes on: it writes nothing, publishes
# nothing, answers nothing but the other's name, and requests go on all the while.
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
registry register --name a --protocol http --address "127.0.0.1:$one" --lease 1h --check-interval 500ms >/dev/null
eventually 20 answer_is "hello from one"
start_flow

kill -STOP "$FIRST_PID"
eventually 10 leads "$SECOND_ADMIN"
export NLB_ENDPOINT=127.0.0.1:$SECOND
registry register --name b --protocol http --address "127.0.0.1:$two" --lease 1h --check-interval 500ms >/dev/null
eventually 20 module_is http/b health healthy
registry unregister http/a >/dev/null
eventually 20 answer_is "hello from two"                        # the forwarder hears the new leader
registry register --registry "127.0.0.1:$FIRST" --name late --protocol http --address "127.0.0.1:$one" --timeout 30s >"$TEMP/late.log" 2>&1 & late=$!
knocks() { [ -n "$(ss -Htn state established "dport = :$FIRST")" ]; }
eventually 10 knocks                                            # it waits in the stopped process's queue

kill -CONT "$FIRST_PID"
code=0; wait $late || code=$?
assert_eq $code 4 "what was asked of the old leader while it was stopped"
eventually 10 follows "$FIRST_ADMIN"
assert_eq "$(curl -s "http://127.0.0.1:$FIRST_ADMIN/status" | jq -c '[.bus, .epoch == 0]')" '[null,false]' "it publishes nothing"
for _ in $(seq 20); do
  assert_eq "$(modules)" "http/b " "the store has what the new leader says"
  follows "$FIRST_ADMIN" || fail "it leads again"
  sleep 0.1
done
end_flow
stop "$SECOND_PID"                                              # and it can still lead, when it is its turn
eventually 10 leads "$FIRST_ADMIN"
NLB_ENDPOINT=127.0.0.1:$FIRST
assert_eq "$(modules)" "http/b " "modules of the next leader"

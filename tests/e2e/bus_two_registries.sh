#!/bin/bash
# Two registries with modules of their own, and one name that both claim: nlb-forward has one list, the first one's word counts on the
# contested name, and the death of the second, or its return with an empty disk, takes nothing from the first.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
free_port SECOND; free_port SECOND_ADMIN
start_registry
start_second() {
  NLB_STATE_DIR=$TEMP/second-state run second "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml" --set "registry.grpc=127.0.0.1:$SECOND" \
    --set "admin.address=127.0.0.1:$SECOND_ADMIN" --set "bus.publish=ipc://$NLB_RUNTIME_DIR/second.bus" --set bus.name=second
  SECOND_PID=$PID
  wait_port "$SECOND_ADMIN"
}
start_second
start_nginx one; one=$HTTP_PORT
start_nginx two; two=$HTTP_PORT
register() { NLB_ENDPOINT=127.0.0.1:$1 registry register --name "$2" --service "$3" --protocol http --address "127.0.0.1:$4" --check none --lease 1h >/dev/null; }
register "$REGISTRY_PORT" contested http "$one"
register "$REGISTRY_PORT" mine api "$one"
register "$SECOND" contested http "$two"
register "$SECOND" yours shop "$two"
start_forward <<YAML
$(listener)
bus: {subscribe: ["ipc://$NLB_RUNTIME_DIR/registry.bus", "ipc://$NLB_RUNTIME_DIR/second.bus"]}
YAML
eventually 10 bus_is .modules 3
eventually 10 bus_is .conflicts 1
assert_eq "$(bus '.conflicting[0]')" modules/http/contested "the contested name"
serves one || fail "the second registry's word counts on the contested name"
metric_is 1 nlb_bus_conflicts || fail "the metrics don't count the conflict"
second='.peers[] | select(.owner == "registry/second")'
kill -KILL "$SECOND_PID"
eventually 15 bus_is " | $second | .phase" stale
assert_eq "$(bus .modules)" 3 "modules after the second registry's death"
rm -rf "$TEMP/second-state"
start_second
eventually 20 bus_is " | $second | .quarantined" 2
assert_eq "$(bus .modules)" 3 "modules after its return with an empty disk"
assert_eq "$(bus " | .peers[0].quarantined")" 0 "the first one's modules are not touched"
serves one || fail "the contested module is gone"
registry unregister http/contested --drain-timeout 0s >/dev/null 2>&1 || registry unregister http/contested >/dev/null
eventually 15 serves two

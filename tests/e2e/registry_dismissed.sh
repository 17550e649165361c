#!/bin/bash
# Whom an operator unregisters stays out while its process goes on, also when the registry is killed and started again; a newer process
# may have the name, and the operator may take it back.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_registry
start_redis
process=("$NLB_BIN/nlb-registry" register --name a --protocol redis --address "127.0.0.1:$REDIS_PORT" --lease 3s --check none --keep --incarnation)
start_process() { run "process$1" "${process[@]}" "$1"; eventually 10 is_listed redis/a; }
restart_registry() { kill_registry; start_registry; }
refused() {          # refused INCARNATION
  assert_exit 6 timeout 20 "${process[@]}" "$1"
  assert_contains "$(cat "$TEMP/stderr")" "nlb-registry unregister --cancel redis/a lets it in again (ABORTED)" "the refusal of incarnation $1"
}
told_to_stop() {     # told_to_stop INCARNATION PID
  eventually 20 gone "$2"
  ended_with "$2" 1
  assert_contains "$(cat "$TEMP/process$1.log")" "taken out by the operator: too old" "what incarnation $1 was told"
}

start_process 5; five=$PID
kill -STOP "$five"                                              # it hears nothing of what follows
registry unregister redis/a --reason "too old" >/dev/null
restart_registry
kill -CONT "$five"
told_to_stop 5 "$five"
for _ in 1 2; do
  refused 5
  refused 4
  assert_eq "$(modules)" "" "nobody came back"
  assert_eq "$(curl -s "$REGISTRY_ADMIN/status" | jq -c '[.dismissed[] | [.module, .incarnation, .reason]]')" '[["redis/a",5,"taken out by the operator: too old"]]' "/status"
  restart_registry                                              # as often as it likes
done

start_process 6; six=$PID                                       # a newer process is somebody else
registry unregister redis/a --drain --reason "too old" >/dev/null
restart_registry                                                # in the middle of its way out
told_to_stop 6 "$six"
refused 6
assert_eq "$(registry unregister redis/a --cancel | jq -r .phase)" readmitted "the operator takes it back"
restart_registry
start_process 6; six=$PID
registry unregister redis/a >/dev/null
eventually 20 gone "$six"
registry register --name a --protocol redis --address "127.0.0.1:$REDIS_PORT" --check none >/dev/null      # so does this, by hand
restart_registry
is_listed redis/a || fail "what an operator registered is not there"
assert_eq "$(registry stats -o ndjson | jq .dismissed)" 0 "nobody is out"
assert_exit 6 registry unregister redis/a --cancel
assert_contains "$(cat "$TEMP/stderr")" "there is nothing to cancel" "nobody was taken out"

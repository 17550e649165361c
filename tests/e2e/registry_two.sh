#!/bin/bash
# Two registries on one etcd: the one that leads is killed with SIGKILL, the other serves the same modules within the lease time.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
command -v etcd >/dev/null || skip "etcd is not installed (package etcd-server)"
free_port ETCD; free_port ETCD_PEER; free_port SECOND; free_port SECOND_ADMIN
run etcd etcd --data-dir "$TEMP/etcd" --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
  --listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-cluster "default=http://127.0.0.1:$ETCD_PEER"
wait_port "$ETCD"
leads() { curl -sf "http://127.0.0.1:$1/status" | jq -e .leading | grep -x true >/dev/null; }
write_registry_config <<<"store: {etcd: {endpoints: [\"http://127.0.0.1:$ETCD\"], lease: 2s}}"
start_registry
eventually 20 leads "$REGISTRY_ADMIN_PORT"
first=$REGISTRY_PID
run second "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml" --set "registry.grpc=127.0.0.1:$SECOND" --set "admin.address=127.0.0.1:$SECOND_ADMIN" \
  --set "bus.publish=ipc://$TEMP/run/second.bus"
wait_port "$SECOND_ADMIN"
export NLB_ENDPOINT=127.0.0.1:$SECOND,127.0.0.1:$REGISTRY_PORT      # the follower is asked first, and names the leader
start_redis
registry register --name a --protocol redis --address "127.0.0.1:$REDIS_PORT" >/dev/null
eventually 10 module_is redis/a health healthy
lease=$(registry stats -o ndjson | jq .epoch)
names_leader() { [[ "$(NLB_ENDPOINT=127.0.0.1:$SECOND registry list 2>&1)" == *"ask 127.0.0.1:$REGISTRY_PORT"* ]]; }
eventually 10 names_leader
kill -KILL "$first"
eventually 6 leads "$SECOND_ADMIN"
assert_eq "$(modules)" "redis/a " "the same modules"
[ "$(registry stats -o ndjson | jq .epoch)" -gt "$lease" ] || fail "the second leader's epoch is not greater"

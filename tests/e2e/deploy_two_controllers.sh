#!/bin/bash
# Two controllers on one etcd, a rollout in the middle. The one that leads is stopped beyond its lease: the other takes over with a greater
# token, goes on, and promotes. When the first runs again it no longer leads, and nothing that it still says moves a weight.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
command -v etcd >/dev/null || skip "etcd is not installed (package etcd-server)"
free_port ETCD; free_port ETCD_PEER; free_port ADMIN_A; free_port ADMIN_B
run etcd etcd --data-dir "$TEMP/etcd" --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
  --listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-cluster "default=http://127.0.0.1:$ETCD_PEER"
wait_port "$ETCD"
start_copy() {   # start_copy NAME ADMIN_PORT: PID
  cat >"$TEMP/copy-$1.yaml" <<YAML
deploy: {grpc: "unix:$TEMP/$1.sock"}
store: {etcd: {endpoints: ["http://127.0.0.1:$ETCD"], lease: 3s}}
admin: {address: "127.0.0.1:$2"}
bus: {publish: "ipc://$TEMP/run/deploy-$1.bus", subscribe: ["ipc://$TEMP/run/a.bus"]}
YAML
  NLB_STATE_DIR=$TEMP/state-$1 SIGNAL=KILL run "copy-$1" "$DEPLOY" serve --config "$TEMP/copy-$1.yaml"
  eventually 20 curl -sf "http://127.0.0.1:$2/healthz"
}
leads() { curl -sf --max-time 2 "http://127.0.0.1:$1/metrics" | grep -x 'nlb_leader 1'; }
start_copy A "$ADMIN_A"; A=$PID
eventually 20 leads "$ADMIN_A"
start_copy B "$ADMIN_B"; B=$PID
echo "deploy: {grpc: \"unix:$TEMP/B.sock,unix:$TEMP/A.sock\"}" >"$TEMP/deploy.yaml"      # the follower is asked first
start_version v1; start_version v2
prepare_edges a
EDGE_PEERS="\"ipc://$TEMP/run/deploy-A.bus\", \"ipc://$TEMP/run/deploy-B.bus\"" start_edge a <<YAML
modules:
$(for v in v1 v2; do for r in 1 2; do port=PORT_${v}_$r; module "$v-$r" http "${!port}" "service: web, version: $v"; done; done)
routes: [{protocol: http, service: web}]
YAML
deploy init web --stable v1 >/dev/null
eventually 20 split_is_applied
start_crowd 300 80 "$EDGE_PORT_a"
canary start web --to v2 --steps 20,50 --every 12s --delta 0.08 >/dev/null
eventually 30 weight_is 20
epoch=$(state_of web .epoch)
kill -STOP "$A"
eventually 20 leads "$ADMIN_B"
B_only() { "$DEPLOY" get web --server "unix:$TEMP/B.sock" --config "$TEMP/deploy.yaml" -o ndjson | jq -r "$1"; }
[ "$(B_only .epoch)" -gt "$epoch" ] || fail "the second leader's token is not greater"
assert_eq "$(B_only .rollout.weight_percent)" 20 "the weight over the change of leaders"
took_over() { [ "$(B_only '.forwarders[0].split_epoch')" = "$(B_only .epoch)" ]; }
eventually 20 took_over
kill -CONT "$A"
steps_down() { ! leads "$ADMIN_A"; }
eventually 20 steps_down
assert_contains "$("$DEPLOY" canary pause web --server "unix:$TEMP/A.sock" --config "$TEMP/deploy.yaml" 2>&1 || true)" "doesn't lead: ask unix:$TEMP/B.sock" "what the old leader says"
eventually 90 phase_is promoted
seen=$(stop_crowd)
assert_eq "$(jq .failed <<<"$seen")" 0 "failed requests of $(jq .requests <<<"$seen")"
assert_eq "$(state_of web '.forwarders[0].split_epoch')" "$(B_only .epoch)" "whose word the forwarder follows"
assert_eq "$(state_of web .revision)" 1 revision

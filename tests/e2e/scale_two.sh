#!/bin/bash
# Two serves on one etcd: the leader is killed, the other goes on with its replicas, its history and what people said; a leader that
# stood still for longer than its lease finds that it was replaced, and ends without touching anything.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/scale.sh"
command -v etcd >/dev/null || skip "etcd is not installed (package etcd-server)"
free_port ETCD; free_port ETCD_PEER; free_port SECOND_ADMIN
run etcd etcd --data-dir "$TEMP/etcd" --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
  --listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-cluster "default=http://127.0.0.1:$ETCD_PEER"
wait_port "$ETCD"
leads() { curl -sf --max-time 2 "http://127.0.0.1:$1/status" | jq -e .leading | grep -x true >/dev/null; }
three() { scaled '.actual == 3 and .wanted == 3 and .rule == "by_hand"'; }
start_scale <<YAML
store: {etcd: {endpoints: ["http://127.0.0.1:$ETCD"], lease: 2s}}
scale:
  interval: 1s
  policies: [{service: web, min: 2, max: 5, targets: {connections: 10}, target: {process: {command: [sleep, "600"]}}}]
YAML
eventually 20 leads "$SCALE_ADMIN_PORT"
start_second() {   # with a socket of its own, as on another machine
  export NLB_SCALE__GRPC=unix:$TEMP/run/scale-$SECOND_ADMIN.sock
  "$SCALE" serve --config "$SCALE_CONFIG" --set "admin.address=127.0.0.1:$SECOND_ADMIN" >>"$TEMP/second.log" 2>&1 &
  SECOND=$!
  PIDS+=("$SECOND KILL")
}
scale set web 3 --for 10m --reason "a sale" >/dev/null
eventually 20 three
start_second
wait_port "$SECOND_ADMIN"
before=$(replicas | sort)
kill -KILL "$SCALE_PID"
eventually 20 leads "$SECOND_ADMIN"
eventually 20 three
SCALE_ADMIN_PORT=$SECOND_ADMIN
assert_eq "$(replicas | sort)" "$before" "the replicas after the leader's end"
assert_contains "$(scale history -n 100 -o ndjson | jq -r .text)" "a sale"

stopped=$SECOND
kill -STOP "$stopped"
free_port SECOND_ADMIN
start_second
eventually 30 leads "$SECOND_ADMIN"
kill -CONT "$stopped"
eventually 20 gone "$stopped"                              # it was replaced
SCALE_ADMIN_PORT=$SECOND_ADMIN
eventually 30 three
assert_eq "$(replicas | sort)" "$before" "the replicas after a leader stood still"
SCALE_PID=$SECOND

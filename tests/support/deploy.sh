# shellcheck shell=bash disable=SC2034,SC2154 # sourced after lib.sh; the variables are for the tests
# What the tests of nlb-deploy share: two versions of a small service behind one nlb-forward, the controller, and a crowd of clients.
DEPLOY=$NLB_BIN/nlb-deploy
free_port DEPLOY_ADMIN_PORT

# write_controller_config [MORE_SECTIONS [ADDRESSES]]: $TEMP/deploy.yaml
write_controller_config() {
  cat >"$TEMP/deploy.yaml" <<YAML
deploy: {grpc: "${2:-unix:$TEMP/deploy.sock}"}
store: {sqlite: "$TEMP/deploy-state/deploy.db"}
admin: {address: "127.0.0.1:$DEPLOY_ADMIN_PORT"}
log: {level: info}
${1:-}
YAML
}
# start_controller: returns when it is ready; DEPLOY_PID. Its configuration is $TEMP/deploy.yaml.
start_controller() {
  local ready word=""
  [ -f "$TEMP/deploy.yaml" ] || write_controller_config
  rm -f "$TEMP/deploy-ready"
  mkfifo "$TEMP/deploy-ready"
  "$DEPLOY" serve --config "$TEMP/deploy.yaml" --ready-fd 9 9>"$TEMP/deploy-ready" >>"$TEMP/deploy.log" 2>&1 </dev/null &
  DEPLOY_PID=$!
  PIDS+=("$DEPLOY_PID TERM")
  exec {ready}<"$TEMP/deploy-ready"
  read -r -t 20 -u "$ready" word || true
  exec {ready}<&-
  [ "$word" = ready ] || fail "nlb-deploy serve did not become ready"
}
deploy() { local verb=$1; shift; "$DEPLOY" "$verb" "$@" --config "$TEMP/deploy.yaml"; }
canary() { local verb=$1; shift; "$DEPLOY" canary "$verb" "$@" --config "$TEMP/deploy.yaml"; }
state_of() { deploy get "$1" -o ndjson | jq -r "$2"; }
phase_is() { [ "$(state_of web .phase)" = "$1" ]; }

# start_version NAME [KIND SHARE]: two replicas; their ports are PORT_NAME_1 and PORT_NAME_2, their processes VERSION_PID_NAME_1 and _2.
start_version() {
  local name=$1 replica
  shift
  for replica in 1 2; do
    free_port VERSION_PORT
    run "$name-$replica" "$PYTHON" "$SUPPORT/versions.py" serve "$VERSION_PORT" "$name" "$@"
    wait_port "$VERSION_PORT"
    printf -v "PORT_${name}_$replica" %s "$VERSION_PORT"
    printf -v "VERSION_PID_${name}_$replica" %s "$PID"
  done
}

# start_site [KIND SHARE]: v1 (good) and v2 (as said) behind nlb-forward as service web, the controller, and v1 as stable.
start_site() {
  start_version v1
  start_version v2 "$@"
  start_controller
  start_forward <<YAML
$(listener)
modules:
$(for v in v1 v2; do for r in 1 2; do port=PORT_${v}_$r; module "$v-$r" http "${!port}" "service: web, version: $v"; done; done)
services: {web: {eject: {failures: 1000000}}}
routes: [{protocol: http, service: web}]
YAML
  deploy init web --stable v1 >/dev/null
  eventually 15 split_is_applied
}
# applied_by N: so many forwarders have the newest split.
applied_by() { deploy get web -o ndjson | jq -e ".split_revision as \$r | [.forwarders[] | select(.split_revision == \$r)] | length == $1"; }
split_is_applied() { deploy get web -o ndjson | jq -e '.forwarders | length > 0 and all(.split_revision >= 0 and .refused == "")'; }

# kill_controller, kill_forward: as if their machine had lost power.
kill_controller() { kill -KILL "$DEPLOY_PID"; eventually 10 gone "$DEPLOY_PID"; }
kill_forward() { kill -KILL "$FORWARD_PID"; eventually 10 gone "$FORWARD_PID"; }
weight_is() { [ "$(state_of web '.versions[] | select(.version == "v2") | .weight_percent')" = "$1" ]; }   # weight_is PERCENT: of v2

# start_edge NAME <<YAML: one of several forwarders; EDGE_PORT_NAME and EDGE_ADMIN_NAME, EDGE_PID_NAME. The controller hears them when its
# configuration says `$EDGES`, which prepare_edges NAME... makes.
prepare_edges() {
  local name
  EDGES="bus: {subscribe: [$(printf "\"ipc://$TEMP/run/%s.bus\", " "$@")]}"
  for name in "$@"; do free_port "EDGE_PORT_$name"; free_port "EDGE_ADMIN_$name"; done
}
start_edge() {
  local name=$1 port=EDGE_PORT_$1 admin=EDGE_ADMIN_$1
  { echo "listen: [{name: edge, address: \"127.0.0.1:${!port}\"}]"; echo "admin: {address: \"127.0.0.1:${!admin}\"}"; echo "log: {level: info}"
    echo "bus: {name: $name-1, publish: \"ipc://$TEMP/run/$name.bus\", subscribe: [${EDGE_PEERS:-\"ipc://$TEMP/run/deploy.bus\"}]}"; cat; } >"$TEMP/$name.yaml"
  restart_edge "$name"
}
restart_edge() {
  local name=$1 admin=EDGE_ADMIN_$1
  NLB_STATE_DIR=$TEMP/state-$name SIGNAL=KILL run "edge-$name" "$NLB_BIN/nlb-forward" --config "$TEMP/$name.yaml"
  printf -v "EDGE_PID_$name" %s "$PID"
  eventually 20 curl -sf "http://127.0.0.1:${!admin}/readyz"
}

# start_crowd CLIENTS RATE [PORT [PROTOCOL]]: CROWD_PID; stop_crowd prints what it saw.
start_crowd() {
  rm -f "$TEMP/crowd.end"
  "$PYTHON" "$SUPPORT/versions.py" crowd "${3:-$FORWARD_PORT}" "$1" "$2" "$TEMP/crowd.end" ${4:+"$4"} >"$TEMP/crowd.json" 2>"$TEMP/crowd.log" &
  CROWD_PID=$!
  PIDS+=("$CROWD_PID TERM")
}
stop_crowd() { touch "$TEMP/crowd.end"; eventually 30 gone "$CROWD_PID"; cat "$TEMP/crowd.json"; }

#!/bin/bash
# One address is enough: nlb-forward and nlb-deploy each know the registry alone, and find one another in its directory.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
. "$SUPPORT/deploy.sh"
start_registry
start_version v1
start_version v2
only_registry="bus: {subscribe: [\"ipc://$NLB_RUNTIME_DIR/registry.bus\"]"
cat >"$TEMP/deploy.yaml" <<YAML
deploy: {grpc: "unix:$TEMP/deploy.sock"}
store: {sqlite: "$TEMP/deploy-state/deploy.db"}
admin: {address: "127.0.0.1:$DEPLOY_ADMIN_PORT"}
$only_registry, publish: "ipc://$TEMP/elsewhere/deploy"}
YAML
start_controller
start_forward <<YAML
$(listener)
modules:
$(for v in v1 v2; do port=PORT_${v}_1; module "$v-1" http "${!port}" "service: web, version: $v"; done)
routes: [{protocol: http, service: web}]
$only_registry, publish: "ipc://$TEMP/elsewhere/forward", name: edge-1}
YAML
deploy init web --stable v1 >/dev/null
eventually 20 split_is_applied
assert_eq "$(deploy get web -o ndjson | jq -r '.forwarders[0].forwarder')" edge-1 "the forwarder that answered"
assert_eq "$(bus '.splits')" 1 "splits that nlb-forward has"
assert_eq "$(bus ' | .peers[] | select(.found_in_directory) | .peer')" "ipc://$TEMP/elsewhere/deploy" "what it found"
names=$("$NLB_BIN/nlb-inspect" bus directory --once --connect "ipc://$NLB_RUNTIME_DIR/registry.bus" | jq -sr '.[-1].body.owners | map(.name | split("/")[0]) | sort | join(" ")')
assert_eq "$names" "deploy forward registry" "the directory"
kill_registry                                                  # without it they go on together
deploy switch web --to v2 >/dev/null 2>&1 &
answers_v2() { curl -s --max-time 5 "http://127.0.0.1:$FORWARD_PORT/" | grep -q v2; }
eventually 30 answers_v2

#!/bin/bash
# What each daemon knows of the bus and how old that is stands in its /status and its metrics, owner by owner: nlb-registry, nlb-forward,
# nlb-deploy and nlb-scale alike. An owner that falls silent is seen by all.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_registry
start_forward <<YAML
$(listener)
YAML
start_controller() {   # start_controller TOOL SECTIONS: its admin address as ADMIN_TOOL
  free_port CONTROLLER_PORT
  printf '%s\nadmin: {address: "127.0.0.1:%s"}\n' "$2" "$CONTROLLER_PORT" >"$TEMP/$1.yaml"
  run "$1" "$NLB_BIN/nlb-$1" serve --config "$TEMP/$1.yaml"
  eventually 20 curl -sf "http://127.0.0.1:$CONTROLLER_PORT/readyz"
  printf -v "ADMIN_$1" %s "http://127.0.0.1:$CONTROLLER_PORT"
}
start_controller deploy ""
start_controller scale ""
# peers ADMIN [LIVE]: the kinds of owners that it follows and that are live, or (false) silent
peers() { curl -sf "$1/status" | jq -c "[.bus.peers[] | select(.live == ${2:-true}).owner | split(\"/\")[0]] | sort | unique"; }
follows() { jq -e "index(\"$2\") != null" <<<"$(peers "$1" "${3:-true}")" >/dev/null; }
counts() { grep -q "^nlb_bus_age_seconds{.*owner=\"$2/" <<<"$(curl -sf "$1/metrics")"; }
for admin in "$ADMIN_deploy" "$ADMIN_scale" "http://127.0.0.1:$ADMIN_PORT"; do
  eventually 20 follows "$admin" registry
  counts "$admin" registry || fail "$admin has no age of the registry's copy"
  assert_eq "$(curl -sf "$admin/status" | jq '.bus | .epoch > 0 and (.publish | length) > 0 and .facts != null')" true "what $admin publishes"
done
eventually 20 follows "$ADMIN_scale" deploy
eventually 20 follows "$REGISTRY_ADMIN" forward
assert_eq "$(curl -sf "$ADMIN_deploy/status" | jq -c '[.bus.peers[] | select(.owner | startswith("registry/")) | .quarantined, .refused_epoch, .gaps]')" "[0,0,0]" "the registry's copy"

kill_registry
for admin in "$ADMIN_deploy" "$ADMIN_scale" "http://127.0.0.1:$ADMIN_PORT"; do
  eventually 20 follows "$admin" registry false
done

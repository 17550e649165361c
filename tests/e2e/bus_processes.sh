#!/bin/bash
# Several processes of one forwarder publish each on its own, also where the configuration names one endpoint for all: their traffic
# arrives under names of their own, and what they count adds up. Somebody else's endpoint is refused, not stolen.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
start_redis
start_registry
start_with() {   # start_with ENDPOINT: three processes that publish there
  start_forward --processes 3 --workers 1 <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
bus: {name: edge, publish: "$1", subscribe: ["ipc://$NLB_RUNTIME_DIR/registry.bus"]}
security: {insecure: true}
YAML
}
inspect_bus() { timeout 10 "$NLB_BIN/nlb-inspect" bus "$@" --once --config "$TEMP/nlb.yaml"; }
opened() {       # processes and sessions, as all processes that the registry's directory names say together
  local endpoints
  mapfile -t endpoints < <(inspect_bus directory --connect "ipc://$NLB_RUNTIME_DIR/registry.bus" | jq -r '.body.owners[] | select(.name | startswith("forward/edge")).publish')
  # shellcheck disable=SC2046 # words without spaces
  inspect_bus traffic $(printf -- '--connect %s ' "${endpoints[@]}") |
    jq -sr 'group_by(.topic) | map(.[-1]) | [length, (map(.body.totals.sessions_opened // 0 | tonumber) | add)] | join(" ")'
}
all_told() { [ "$(metric nlb_routed_connections_total module=cache-1)" -ge 60 ] && [ "$(opened)" = "3 $(metric nlb_routed_connections_total module=cache-1)" ]; }
free_port one
for endpoint in "ipc://$TEMP/run/everybody.bus" "tcp://127.0.0.1:$one"; do
  start_with "$endpoint"
  redis-benchmark -p "$FORWARD_PORT" -t get -n 60 -c 10 -k 0 -q >/dev/null
  eventually 20 all_told
  [[ $endpoint = tcp* ]] || { for n in "" -1 -2; do [ -S "$TEMP/run/everybody.bus$n" ] || fail "no socket everybody.bus$n"; done; }
  if [[ $endpoint = ipc* ]]; then
    sed "s/$FORWARD_PORT/$one/; s/^admin:.*/admin: {address: \"127.0.0.1:0\"}/" "$TEMP/nlb.yaml" >"$TEMP/other.yaml"
    NLB_STATE_DIR=$TEMP/other NLB_RUNTIME_DIR=$TEMP/other assert_exit 4 timeout 20 "$NLB_BIN/nlb-forward" --config "$TEMP/other.yaml"
    assert_contains "$(cat "$TEMP/stderr")" "everybody.bus.lock/lock: process"
  fi
  kill -TERM "$FORWARD_PID"
  eventually 20 gone "$FORWARD_PID"
done

#!/bin/bash
# One caller registers 100,000 modules: its cap answers RESOURCE_EXHAUSTED, memory stays bounded, another caller's modules register,
# beat and serve through the forwarder meanwhile.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
make_authority ca
issue ca server IP:127.0.0.1; issue ca flood DNS:flood; issue ca web DNS:web; issue ca operator 'DNS:*'
write_registry_config "modules_per_protocol_max: 200, modules_per_caller_max: 20" \
  <<<"security: {tls: {certificate: $TEMP/server.pem, key: $TEMP/server.key, client_ca: $TEMP/ca.pem}}"
start_registry
start_nginx
start_forward <<YAML
$(listener)
routes: [{protocol: http, service: web}]
bus: {subscribe: ["ipc://$TEMP/run/registry.bus"]}
YAML
# shellcheck disable=SC2046
run web "$NLB_BIN/nlb-registry" register $(shown web) --name web/first --protocol http --address "127.0.0.1:$HTTP_PORT" --lease 2s --keep
answers() { http_through "http://127.0.0.1:$FORWARD_PORT/"; }
eventually 20 answers
peer load "$FORWARD_PORT" "$TEMP/enough" >"$TEMP/load" & load=$!
rss() { awk '/VmRSS/ { print $2 }' "/proc/$REGISTRY_PID/status"; }
before=$(rss)
is_counted() { curl -s "$REGISTRY_ADMIN/metrics" | grep -q 'nlb_registry_refusals_total{reason="caller_full"} [1-9]'; }

"$NLB_BIN/registry_load" flood "127.0.0.1:$REGISTRY_PORT" --count 100000 --service flood --window 500 \
  --ca "$TEMP/ca.pem" --certificate "$TEMP/flood.pem" --key "$TEMP/flood.key" >"$TEMP/flood.json" & flood=$!
eventually 30 is_counted
with web register --name web/second --protocol http --address "127.0.0.1:$HTTP_PORT" --lease 5m >/dev/null      # in the middle of it
wait $flood || fail "the flood could not run"
jq -c . "$TEMP/flood.json"
assert_eq "$(jq .codes.OK "$TEMP/flood.json")" 20 "modules that the flood got"
assert_eq "$(jq .codes.RESOURCE_EXHAUSTED "$TEMP/flood.json")" 99980 "refused"
assert_contains "$(jq -r .texts.RESOURCE_EXHAUSTED "$TEMP/flood.json")" modules_per_caller_max "the refusal says what to do"
assert_between "$(($(rss) - before))" -1000000 98304 "KiB that the flood cost"
touch "$TEMP/enough"
wait $load || fail "a request failed during the flood"
assert_eq "$(with operator list --service web --routable -o ndjson | jq -r .name | tr '\n' ' ')" "first second " "the other caller's modules"

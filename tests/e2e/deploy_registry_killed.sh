#!/bin/bash
# Modules come from the registry, and the registry is killed in the middle of a rollout and comes back: traffic, the judge and the steps go
# on with what is known. A bad canary is rolled back while no registry runs.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
. "$SUPPORT/registry.sh"
state_of() { deploy get "$1" -o ndjson | jq -r "$2"; }        # of a rollout, here
start_registry
start_version v1; start_version v2; start_version bad error 0.05
for version in v1 v2 bad; do
  for replica in 1 2; do
    port=PORT_${version}_$replica
    run "keep-$version-$replica" "$NLB_BIN/nlb-registry" register --name "$version-$replica" --service web --protocol http --address "127.0.0.1:${!port}" \
      --module-version $version --lease 5s --keep
  done
done
start_controller
start_forward <<YAML
$(listener)
routes: [{protocol: http, service: web}]
services: {web: {eject: {failures: 1000000}}}
YAML
knows_all() { [ "$(curl -sf "$ADMIN/status" | jq '[.services[] | select(.name == "web") | .modules[] | select(.state == "up")] | length')" = 6 ]; }
eventually 20 knows_all
deploy init web --stable v1 >/dev/null
eventually 15 split_is_applied
start_crowd 400 120
canary start web --to v2 --steps 20,50 --every 6s --delta 0.05 >/dev/null
eventually 30 weight_is 20
kill_registry
eventually 30 weight_is 50                                      # a step without a registry
start_registry
eventually 60 phase_is promoted
seen=$(stop_crowd)
assert_eq "$(jq .failed <<<"$seen")" 0 "failed requests of $(jq .requests <<<"$seen") while the registry went and came"
kill_registry
start_crowd 400 150
code=0
canary start web --to bad --steps 20,50 --every 60s --wait --timeout 90s >/dev/null 2>&1 || code=$?
assert_eq $code 1 "exit code of the bad one, without a registry"
stop_crowd >/dev/null
start_registry
eventually 20 knows_all
assert_eq "$(curl -s "http://127.0.0.1:$FORWARD_PORT/")" v2 "who answers when the registry is back"

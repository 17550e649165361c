#!/bin/bash
# A client that has neither .proto nor generated code finds the API by reflection and uses it; grpc.health.v1 answers a probe.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_registry
REDIS_PORT=6379
# shellcheck disable=SC2046 # several words
registry register $(redis_module a) --label team=core >/dev/null
"$PYTHON" "$SUPPORT/reflect.py" "127.0.0.1:$REGISTRY_PORT" >"$TEMP/seen.json"
seen() { jq -rc "$1" "$TEMP/seen.json"; }
assert_eq "$(seen .services)" '["grpc.health.v1.Health","grpc.reflection.v1alpha.ServerReflection","nlb.v1.NLBService"]' "services"
assert_eq "$(seen .methods)" '["DrainModule","GetStats","Heartbeat","ListModules","RegisterModule","UnregisterModule","UpdateHealth","WatchModules"]' "methods"
assert_eq "$(seen '.modules[0] | [.service, .name, .dataAddress, .labels.team]')" '["redis","a","127.0.0.1:6379","core"]' "the module"
assert_eq "$(seen .health)" '{"":"SERVING","nlb.v1.NLBService":"SERVING","no.such.Service":"NOT_FOUND"}' "health"

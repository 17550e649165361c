#!/bin/bash
# gRPC in plain text stays on this machine: beyond loopback it is refused, unless somebody says --insecure; then log and metrics say so.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
insecure_is() { [ "$(curl -s "$REGISTRY_ADMIN/metrics" | awk '$1 == "nlb_insecure_listener" { print $2 }')" = "$1" ]; }
{ echo "registry: {grpc: \"0.0.0.0:$REGISTRY_PORT\"}"; echo "admin: {address: \"127.0.0.1:$REGISTRY_ADMIN_PORT\"}"; } >"$TEMP/registry.yaml"
assert_exit 6 timeout 20 "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml"
assert_contains "$(cat "$TEMP/stderr")" "--insecure" "the refusal says what to do"
assert_exit 6 timeout 20 "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml" --set "registry.grpc=[::]:$REGISTRY_PORT"
start_registry --insecure
registry list
registry_says "without TLS is open to other machines" || fail "the log says nothing"
insecure_is 1 || fail "the metric says nothing"
stop "$REGISTRY_PID"
make_certificate
start_registry --set "security.tls.certificate=$TEMP/cert.pem" --set "security.tls.key=$TEMP/key.pem"     # with TLS nobody has to say so
registry list --tls-ca "$TEMP/cert.pem"
insecure_is 0 || fail "TLS counts as insecure"
stop "$REGISTRY_PID"
start_registry --set "registry.grpc=unix:$TEMP/run/registry.sock"                                          # nor on this machine's own socket
registry list --registry "unix:$TEMP/run/registry.sock"

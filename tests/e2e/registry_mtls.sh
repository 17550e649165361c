#!/bin/bash
# With a client CA only holders of its certificates may call, and the names in a certificate are the services that its holder may claim.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
make_authority ca; make_authority other
issue ca server IP:127.0.0.1
issue ca cache DNS:cache; issue ca shop URI:nlb:shop; issue ca operator 'DNS:*'; issue ca expired DNS:cache -1; issue other stranger DNS:cache
write_registry_config <<<"security: {tls: {certificate: $TEMP/server.pem, key: $TEMP/server.key, client_ca: $TEMP/ca.pem}}"
start_registry
REDIS_PORT=6379                                             # nobody is asked: --check none
mine=$(redis_module a)

# shellcheck disable=SC2086 # $mine is several words
{
  with cache register $mine --service cache >/dev/null
  assert_exit 6 with cache register $mine --service shop
  assert_contains "$(cat "$TEMP/stderr")" "PERMISSION_DENIED" "another's service"
  assert_contains "$(cat "$TEMP/stderr")" "its certificate doesn't name it" "the refusal says why"
  with shop register $mine --service shop >/dev/null
  with operator register $mine --service anything >/dev/null
}
for verb in "unregister shop/a" "drain shop/a" "health shop/a unhealthy"; do
  # shellcheck disable=SC2086
  assert_exit 6 with cache $verb
  assert_contains "$(cat "$TEMP/stderr")" PERMISSION_DENIED "$verb by a stranger to the service"
done
with operator drain shop/a >/dev/null

assert_exit 4 with expired list
assert_exit 4 with stranger list                             # of an authority that isn't ours
assert_contains "$(cat "$TEMP/stderr")" "the certificates may be wrong" "the hint"
assert_exit 4 registry list                                  # plain text
assert_contains "$(cat "$TEMP/stderr")" "if it speaks TLS, say so with --tls-ca" "the hint"
assert_exit 4 registry list --tls-ca "$TEMP/ca.pem"          # no certificate
assert_contains "$(cat "$TEMP/stderr")" "it may want a certificate (--tls-certificate)" "the hint"
BELIEVED=other assert_exit 4 with cache list                 # the registry itself is a stranger to this client
assert_eq "$(with operator list -o ndjson | jq -r .module | tr '\n' ' ')" "anything/a cache/a shop/a " "strangers changed nothing"
assert_contains "$(curl -s "$REGISTRY_ADMIN/metrics")" 'nlb_registry_refusals_total{reason="service_not_allowed"} 1' "the claim is counted"

#!/bin/bash
# Certificates change under HUP: the next handshake uses the new ones, open streams go on, old and new authorities overlap; a key that
# doesn't belong to its certificate changes nothing.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
make_authority ca; make_authority next
issue ca server IP:127.0.0.1; issue ca cache DNS:cache
issue next server2 IP:127.0.0.1; issue next cache2 DNS:cache
cp "$TEMP/ca.pem" "$TEMP/clients.pem"
install_pair() { cp "$TEMP/$1.pem" "$TEMP/live.pem"; cp "$TEMP/$2.key" "$TEMP/live.key"; kill -HUP "$REGISTRY_PID"; }
cp "$TEMP/server.pem" "$TEMP/live.pem"; cp "$TEMP/server.key" "$TEMP/live.key"
write_registry_config <<<"security: {tls: {certificate: $TEMP/live.pem, key: $TEMP/live.key, client_ca: $TEMP/clients.pem}}"
start_registry
with cache list
assert_exit 4 with cache2 list
with cache watch -o ndjson >"$TEMP/watch.jsonl" 2>/dev/null & watcher=$!
PIDS+=("$watcher TERM")
eventually 10 grep -q synced "$TEMP/watch.jsonl"

cat "$TEMP/ca.pem" "$TEMP/next.pem" >"$TEMP/clients.pem"; kill -HUP "$REGISTRY_PID"
eventually 10 with cache2 list                              # both authorities are believed
with cache list
install_pair server2 server2
BELIEVED=next eventually 10 with cache2 list                # the registry shows its new certificate
BELIEVED=next with cache list
cp "$TEMP/next.pem" "$TEMP/clients.pem"; kill -HUP "$REGISTRY_PID"
old_refused() { ! BELIEVED=next with cache list 2>/dev/null; }
eventually 10 old_refused
install_pair server server2                                 # a key of another certificate
eventually 10 registry_says "is not the key of"
BELIEVED=next with cache2 list
# shellcheck disable=SC2046
BELIEVED=next with cache2 register $(REDIS_PORT=6379 redis_module a) --service cache >/dev/null
eventually 10 grep -q '"cache/a"' "$TEMP/watch.jsonl"       # the stream of a certificate that is no longer believed was opened in time

#!/bin/bash
# MySQL checks never lock us out: after many times max_connect_errors of them our address may still connect, where as many handshakes
# that are cut off get it blocked.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
address=$(ip -4 -o address show scope global | awk '{ sub("/.*", "", $4); print $4; exit }')
[ -n "$address" ] || skip "this machine has only a loopback address, which MySQL never blocks"
MARIADB_OPTIONS="--skip-name-resolve=0 --bind-address=0.0.0.0 --max-connect-errors=5" start_mariadb
mysql_through "CREATE USER someone@'%' IDENTIFIED BY 'secret'" "$MARIADB_PORT"      # a host without any account isn't even greeted
write_registry_config "allow_addresses: [0.0.0.0/0]" <<<"health: {interval: 100ms, timeout: 100ms, fall: 5}"
start_registry
registry register --name db --protocol mysql --address "$address:$MARIADB_PORT" >/dev/null
checks() { registry health mysql/db -o ndjson | jq .checks; }
checked_often() { [ "$(checks)" -ge 40 ]; }
answer() { mariadb --no-defaults -h "$address" -P "$MARIADB_PORT" -u nobody --skip-ssl -e 'select 1' 2>&1 || true; }
eventually 60 checked_often
module_is mysql/db health healthy || fail "the checks fail: $(registry health mysql/db -o ndjson || true)"
assert_contains "$(answer)" "ERROR 1045" "denied like any stranger, not blocked"

cut_off() { exec {cut}<>"/dev/tcp/$address/$MARIADB_PORT"; head -c 5 <&"$cut" >/dev/null; printf 'x' >&"$cut"; exec {cut}>&-; }
for _ in $(seq 12); do cut_off; done
blocked() { [[ "$(answer)" == *"ERROR 1129"* ]]; }
eventually 20 blocked
eventually 20 module_is mysql/db health unhealthy                                   # and that is a state that the check sees and names
assert_contains "$(registry health mysql/db -o ndjson | jq -r .last_error || true)" "blocked" "why"
mariadb-admin --no-defaults -h 127.0.0.1 -P "$MARIADB_PORT" -u tester flush-hosts
eventually 20 module_is mysql/db health healthy

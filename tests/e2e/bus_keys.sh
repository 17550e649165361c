#!/bin/bash
# The bus over tcp: only listed keys come in, each reads what its role says, a plain stranger gets nothing, and both lists and the owner's
# own pair are changed while everything runs.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
free_port BUS_PORT
while port_listens $((BUS_PORT + 1)); do free_port BUS_PORT; done
keys=$TEMP/keys; allowed=$TEMP/allowed; mkdir "$allowed"
keygen() { registry keygen "$1" --directory "$keys" ${2:+--role "$2"} >/dev/null; }
admit() { cp "$keys/$1.pub" "$allowed/"; }
keygen registry; keygen edge forward; keygen scaler scale; keygen reader all; keygen unknown all; keygen next
admit edge; admit scaler; admit reader
assert_contains "$(cat "$keys/edge.pub")" "role forward" "what keygen writes"
cp "$keys/registry.key" "$keys/current.key"; chmod 600 "$keys/current.key"
curve() { echo "bus: {subscribe: [\"tcp://127.0.0.1:$BUS_PORT\"], curve: {secret_key_file: \"$keys/$1.key\", server_key_file: \"${2:-$keys/registry.pub}\"}}"; }
write_registry_config <<<"bus: {publish: \"tcp://127.0.0.1:$BUS_PORT\", curve: {secret_key_file: \"$keys/current.key\", allowed_keys_dir: \"$allowed\"}}"
start_registry
start_nginx
keep_module web-1 "$HTTP_PORT"
cp "$keys/registry.pub" "$keys/owner.pub"
{ listener; curve edge "$keys/owner.pub"; } >"$TEMP/edge.yaml"
start_forward <"$TEMP/edge.yaml"
eventually 10 serves

reads() {   # reads KEY TOPIC...: what a reader with that key gets
  local key=$1
  shift
  curve "$key" >"$TEMP/reader.yaml"
  "$NLB_BIN/nlb-inspect" bus "$@" --config "$TEMP/reader.yaml" --once --timeout 3s
}
assert_contains "$(reads reader modules)" '"modules/http/web-1"' "a listed key with role all"
assert_exit 1 reads scaler health                              # its role lacks the class: nothing is there
assert_contains "$(reads scaler modules)" '"modules/http/web-1"' "the same key, in its role"
assert_exit 4 reads unknown modules                            # an unknown key: nobody answers
echo "security: {insecure: true}" >"$TEMP/plain.yaml"
assert_exit 4 "$NLB_BIN/nlb-inspect" bus modules --config "$TEMP/plain.yaml" --connect "tcp://127.0.0.1:$BUS_PORT" --once --timeout 3s
assert_exit 6 "$NLB_BIN/nlb-inspect" bus modules --connect "tcp://127.0.0.1:$BUS_PORT" --once
assert_contains "$(cat "$TEMP/stderr")" "tcp needs CURVE" "without a key"
refusals() { curl -sf "$REGISTRY_ADMIN/metrics" | awk -F'[ ]' '/^nlb_bus_readers_refused_total.*"'"$1"'"/ { print $2 }'; }
[ "$(refusals key)" -gt 0 ] || fail "the metrics don't count the unknown key"

admit unknown
kill -HUP "$REGISTRY_PID"
known() { reads unknown modules | grep -q web-1; }
eventually 20 known
cat "$keys/registry.pub" "$keys/next.pub" | grep public >"$keys/owner.pub"    # readers first: the key in use, and the next
kill -HUP "$FORWARD_PID"
cp "$keys/next.key" "$keys/current.key"                        # then the owner
kill -HUP "$REGISTRY_PID"
start_nginx second
keep_module web-2 "$HTTP_PORT"
eventually 20 bus_is .modules 2
assert_eq "$(bus " | $registry_peer | .snapshots")" 1 "snapshots: the change of keys cost a delta"
assert_exit 4 reads reader modules                             # it knows the old key only

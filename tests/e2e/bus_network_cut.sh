#!/bin/bash
# Two machines (network namespaces) on one cable, the bus over tcp with keys. The cable is pulled under load: not one request fails, the
# age of what is known grows, and what changed meanwhile is there soon after the cable is back.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v wrk >/dev/null || skip "wrk is not installed"
central=nlb-a-$$ edge=nlb-b-$$
trap 'code=$?; ip netns del "$central" 2>/dev/null; ip netns del "$edge" 2>/dev/null; (exit $code); cleanup' EXIT
ip netns add "$central" 2>/dev/null && ip netns add "$edge" || skip "this system makes no network namespaces"
ip link add name near netns "$central" type veth peer name far netns "$edge"
ip -n "$central" addr add 10.77.0.1/24 dev near; ip -n "$central" link set lo up; ip -n "$central" link set near up
ip -n "$edge" addr add 10.77.0.2/24 dev far; ip -n "$edge" link set lo up; ip -n "$edge" link set far up
at() { ip netns exec "$@"; }
launch() { local ns=$1 name=$2; shift 2; ip netns exec "$ns" "$@" >>"$TEMP/$name.log" 2>&1 </dev/null & PIDS+=("$! TERM"); }
bus() { at "$edge" curl -sf --max-time 10 "$ADMIN/status" | jq -r ".bus$1"; }      # the harness's own, where nlb-forward lives
serves() { at "$edge" curl -s --max-time 5 "http://127.0.0.1:$FORWARD_PORT/" | grep -q v1; }
registry() { at "$central" "$NLB_BIN/nlb-registry" "$@"; }
register() { registry register --name "$1" --protocol http --address "127.0.0.1:$MODULE_PORT" --check none --lease 1h >/dev/null; }

mkdir "$TEMP/allowed"
for pair in "registry registry" "edge forward"; do registry keygen "${pair% *}" --directory "$TEMP" --role "${pair#* }" >/dev/null; done
cp "$TEMP/edge.pub" "$TEMP/allowed/"
write_registry_config <<<"bus: {publish: \"tcp://10.77.0.1:5560\", curve: {secret_key_file: \"$TEMP/registry.key\", allowed_keys_dir: \"$TEMP/allowed\"}}"
launch "$central" registry "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml"
free_port MODULE_PORT
launch "$edge" module "$PYTHON" "$SUPPORT/versions.py" serve "$MODULE_PORT" v1
eventually 20 register web-1
write_config <<YAML
$(listener)
bus: {subscribe: ["tcp://10.77.0.1:5560"], curve: {secret_key_file: "$TEMP/edge.key", server_key_file: "$TEMP/registry.pub"}}
YAML
launch "$edge" forward "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml"
eventually 20 serves
at "$edge" wrk -t 1 -c 10 -d 30s -H 'Connection: close' "http://127.0.0.1:$FORWARD_PORT/" >"$TEMP/wrk.out" 2>&1 & LOAD_PID=$!
ip -n "$edge" link set far down
eventually 15 bus_is " | $registry_peer | .phase" stale
register web-2
assert_eq "$(bus .modules)" 1 "modules while the cable is out"
assert_between "$(bus " | $registry_peer | .age_seconds")" 3 60 "age of what is known"
serves || fail "nothing is served while the cable is out"
ip -n "$edge" link set far up
eventually 25 bus_is .modules 2
end_load

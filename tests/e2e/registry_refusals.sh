#!/bin/bash
# Every refusal of a registration is a gRPC status of its own kind, with a text that says what to do: exit code 6, counted by reason.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
write_registry_config "modules_max: 60" </dev/null
start_registry
module=(--protocol redis --address 127.0.0.1:6379 --check none)
refused() {   # refused STATUS TEXT ARGUMENTS...
  local status=$1 text=$2
  shift 2
  assert_exit 6 registry register "$@"
  assert_contains "$(cat "$TEMP/stderr")" "($status)" "the status of: $*"
  assert_contains "$(cat "$TEMP/stderr")" "$text" "the text of: $*"
}
refused INVALID_ARGUMENT "letters, digits" --name "a b" "${module[@]}"
refused INVALID_ARGUMENT "ask for 1s to 1h" --name a "${module[@]}" --lease 2h
refused INVALID_ARGUMENT "10ms to the interval" --name a "${module[@]}" --check-interval 1s --check-timeout 2s
refused INVALID_ARGUMENT "give one, or check by tcp or protocol" --name a --protocol redis --address 127.0.0.1:6379 --check grpc
refused INVALID_ARGUMENT "name the address that forwarders should connect to" --name a --protocol redis --address 0.0.0.0:6379
refused INVALID_ARGUMENT "is a name" --name a --protocol redis --address somewhere:6379
refused INVALID_ARGUMENT "is no path: it begins with '/'" --name a --protocol http --address 127.0.0.1:80 --check-target healthz
refused INVALID_ARGUMENT "visible ASCII only" --name a --protocol http --address 127.0.0.1:80 --check-target $'/a\r\nX-Evil: y'
refused INVALID_ARGUMENT "xxx...' is no address" --name a --protocol http --address "$(printf 'x%.0s' {1..9000})"
assert_exit 2 registry register --name a "${module[@]}" --priority 256
refused PERMISSION_DENIED "add its network to registry.allow_addresses" --name a --protocol redis --address 192.0.2.1:6379
refused PERMISSION_DENIED "control address 192.0.2.1:1" --name a "${module[@]}" --control 192.0.2.1:1
while IFS='|' read -r says record; do                        # what no client of ours would send
  answer=$("$PYTHON" "$SUPPORT/call.py" "$NLB_ENDPOINT" NLBService RegisterModule "module {name: 'a' data_address: '127.0.0.1:6379' $record}")
  assert_contains "$answer" "INVALID_ARGUMENT $says" "$record"
done <<'RECORDS'
send_proxy 3 is not known: say one of none (0), v1 (1), v2 (2)|protocol: PROTOCOL_REDIS send_proxy: 3
send_proxy -1 is not known|protocol: PROTOCOL_REDIS send_proxy: -1
check.kind 4 is not known|protocol: PROTOCOL_REDIS check {kind: 4}
protocol 8 is not known|protocol: 8
RECORDS
"$NLB_BIN/registry_load" flood "127.0.0.1:$REGISTRY_PORT" --count 55 --service web --window 1 >"$TEMP/flood.json"
assert_eq "$(jq -c .codes "$TEMP/flood.json")" '{"OK":50,"RESOURCE_EXHAUSTED":5}' "50 modules of one protocol"
assert_contains "$(jq -r .texts.RESOURCE_EXHAUSTED "$TEMP/flood.json")" "protocol http has its 50: remove one or raise registry.modules_per_protocol_max" "the text"
for i in 1 2 3 4 5 6 7 8 9 10; do registry register --name $i "${module[@]}" --incarnation 7 >/dev/null; done
lease=$(registry register --name 1 "${module[@]}" --incarnation 7 -o table | sed "s,.*; lease ,,")     # jq rounds it
"$PYTHON" "$SUPPORT/call.py" "$NLB_ENDPOINT" NLBService Heartbeat \
  "module_id: 'redis/1' lease_id: $lease load {cpu_percent: 1e9 memory_percent: -1 requests_per_second: inf errors_per_second: nan connections: 7}" >/dev/null
assert_eq "$("$NLB_BIN/nlb-inspect" bus loads/redis --once --connect "ipc://$NLB_RUNTIME_DIR/registry.bus" | jq -c '.body | [.cpu_percent, .memory_percent, .requests_per_second, .errors_per_second, .connections]')" \
  '[100,null,null,null,7]' "a load that can't be, as the bus has it"
refused RESOURCE_EXHAUSTED "raise registry.modules_max" --name 11 "${module[@]}"
refused ABORTED "stop, or use another name" --name 1 "${module[@]}" --incarnation 6
for verb in "unregister redis/none" "drain redis/none" "health redis/none unhealthy"; do
  # shellcheck disable=SC2086 # several words
  assert_exit 6 registry $verb
  assert_contains "$(cat "$TEMP/stderr")" "NOT_FOUND" "$verb"
done
assert_contains "$(cat "$TEMP/stderr")" "nlb-registry list shows those that are" "what an operator is told"
assert_exit 6 registry unregister none
assert_contains "$(cat "$TEMP/stderr")" 'module_id "none" names no module: it is SERVICE/NAME' "a name that is none"
assert_contains "$("$PYTHON" "$SUPPORT/call.py" "$NLB_ENDPOINT" NLBService Heartbeat "")" "INVALID_ARGUMENT module_id" "an empty name"
assert_exit 6 registry unregister redis/1 --lease-id 42
assert_contains "$(cat "$TEMP/stderr")" "ABORTED" "an old lease"
assert_eq "$(registry stats -o ndjson | jq -cS .refusals)" \
  '{"address_not_allowed":2,"bad_field":15,"older_incarnation":1,"protocol_full":5,"registry_full":1,"unknown_module":3,"wrong_lease":1}' "refusals by reason"

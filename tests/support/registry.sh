# shellcheck shell=bash disable=SC2034 # the variables are for the tests
# nlb-registry for end-to-end tests; to be sourced after lib.sh. Each registry has its own state and runtime folder below $TEMP.

free_port REGISTRY_PORT
free_port REGISTRY_ADMIN_PORT
REGISTRY_ADMIN=http://127.0.0.1:$REGISTRY_ADMIN_PORT
export NLB_ENDPOINT=127.0.0.1:$REGISTRY_PORT
export NLB_STATE_DIR=$TEMP/state NLB_RUNTIME_DIR=$TEMP/run
unset NLB_API_KEY
registry() { "$NLB_BIN/nlb-registry" "$@"; }

# write_registry_config [GRPC_KEYS] <<YAML: other sections; with none of their own, ports and log are filled in.
write_registry_config() {
  { echo "registry: {grpc: \"127.0.0.1:$REGISTRY_PORT\"${1:+, $1}}"; echo "admin: {address: \"127.0.0.1:$REGISTRY_ADMIN_PORT\"}"; cat; } >"$TEMP/registry.yaml"
}
start_registry() {   # start_registry [ARGUMENTS...]: with $TEMP/registry.yaml; returns when it is ready; REGISTRY_PID
  local ready word=""
  [ -f "$TEMP/registry.yaml" ] || write_registry_config </dev/null
  rm -f "$TEMP/registry.ready"
  mkfifo "$TEMP/registry.ready"
  "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml" --ready-fd 9 "$@" 9>"$TEMP/registry.ready" >>"$TEMP/registry.log" 2>&1 </dev/null &
  REGISTRY_PID=$!
  PIDS+=("$REGISTRY_PID KILL")
  exec {ready}<"$TEMP/registry.ready"
  read -r -t 20 -u "$ready" word || true
  exec {ready}<&-
  [ "$word" = ready ] || fail "nlb-registry did not become ready"
}
kill_registry() { kill -KILL "$REGISTRY_PID"; eventually 10 gone "$REGISTRY_PID"; }

modules() { registry list -o ndjson | jq -r .module | sort | tr '\n' ' '; }
state_of() { registry list -o ndjson | jq -r "select(.module == \"$1\") | .$2"; }    # state_of MODULE KEY
module_is() { [ "$(state_of "$1" "$2")" = "$3" ]; }                                   # module_is MODULE KEY VALUE
is_listed() { [[ " $(modules)" == *" $1 "* ]]; }
is_gone() { ! is_listed "$1"; }

# --- certificates -----------------------------------------------------------------------------------------------------------------

EC=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
make_authority() {   # make_authority NAME: $TEMP/NAME.pem and NAME.key
  openssl req -x509 "${EC[@]}" -days 2 -subj "/CN=$1" -keyout "$TEMP/$1.key" -out "$TEMP/$1.pem" 2>/dev/null
}
issue() {            # issue AUTHORITY NAME SUBJECT_ALTERNATIVE_NAMES [DAYS]: $TEMP/NAME.pem and NAME.key; -1 days: it has expired
  openssl req "${EC[@]}" -subj "/CN=$2" -addext "subjectAltName=$3" -keyout "$TEMP/$2.key" -out "$TEMP/$2.csr" 2>/dev/null
  openssl x509 -req -in "$TEMP/$2.csr" -CA "$TEMP/$1.pem" -CAkey "$TEMP/$1.key" -CAcreateserial -days "${4:-2}" -copy_extensions copy \
    -out "$TEMP/$2.pem" 2>/dev/null
}
with() {             # with CERTIFICATE VERB...: a command that shows this certificate; the registry's must be of authority $BELIEVED (ca)
  local name=$1 verb=$2
  shift 2
  # shellcheck disable=SC2046 # words without spaces
  registry "$verb" $(shown "$name") "$@"
}
shown() { echo "--tls-ca $TEMP/${BELIEVED:-ca}.pem --tls-certificate $TEMP/$1.pem --tls-key $TEMP/$1.key"; }
redis_module() { echo --name "$1" --protocol redis --address "127.0.0.1:$REDIS_PORT" --check none; }
registry_says() { grep -q "$1" "$TEMP/registry.log"; }

# --- a module in front of whom requests flow --------------------------------------------------------------------------------------

# start_site: a registry and a forwarder that lives from it; HTTP goes to service http. start_flow sends requests until end_flow, which
# fails when one of them failed.
start_site() {
  start_registry
  start_forward <<YAML
$(listener)
routes: [{protocol: http, service: http}]
bus: {subscribe: ["ipc://$NLB_RUNTIME_DIR/registry.bus"]}
YAML
}
answer() { http_through "http://127.0.0.1:$FORWARD_PORT/"; }
answer_is() { [ "$(answer)" = "$1" ]; }
start_flow() {
  rm -f "$TEMP/enough"
  peer load "$FORWARD_PORT" "$TEMP/enough" >"$TEMP/flow" 2>"$TEMP/flow.log" & FLOW=$!
}
end_flow() {
  touch "$TEMP/enough"
  wait "$FLOW" || fail "a request failed"
  assert_between "$(cat "$TEMP/flow")" "${1:-10}" 100000000 "requests"
}
ended_with() { local code=0; wait "$1" || code=$?; assert_eq $code "$2" "exit code of the module"; }   # ended_with PID CODE

# life_of COMMAND...: what every module in examples/ has to do. COMMAND is given a name and more arguments, and answers "hello from NAME".
life_of() {
  local first second older
  start_site
  run first "$@" first --lease 3; first=$PID
  eventually 40 answer_is "hello from first"
  start_flow
  eventually 15 reports_load http/first
  run second "$@" second --lease 3; second=$PID
  eventually 40 module_is http/second routable true

  registry drain http/first --reason "out you go" >/dev/null    # it finishes what it has, and leaves
  eventually 40 gone "$first"
  ended_with "$first" "${DRAINED:-0}"
  eventually 10 is_gone http/first
  run third "$@" first --lease 3; first=$PID
  eventually 40 module_is http/first routable true
  stop "$second"                                                # TERM: sessions end first
  ended_with "$second" 0
  is_gone http/second || fail "it did not leave"

  kill_registry; start_registry                                 # nobody is told; the next heartbeat goes on
  older=$first
  run fourth "$@" first --lease 3; first=$PID                   # a newer process of the only module's name, on another port
  eventually 40 gone "$older"
  ended_with "$older" 1
  eventually 20 module_is http/first routable true
  end_flow
  kill_registry; rm -rf "$NLB_STATE_DIR"; start_registry        # a registry without memory: the module registers again
  eventually 20 is_listed http/first
}
reports_load() {
  registry stats --modules -o ndjson | jq -e "select(.module == \"$1\") | .cpu_percent != null and .memory_percent > 0 and .connections != null" >/dev/null
}

# --- two registries on one etcd ---------------------------------------------------------------------------------------------------

# start_pair [LEASE]: etcd, a first registry that leads and a second that follows; FIRST and SECOND are their ports, FIRST_PID,
# SECOND_PID, FIRST_ADMIN, SECOND_ADMIN; NLB_ENDPOINT names both.
start_pair() {
  command -v etcd >/dev/null || skip "etcd is not installed (package etcd-server)"
  free_port ETCD; free_port ETCD_PEER; free_port SECOND; free_port SECOND_ADMIN
  FIRST=$REGISTRY_PORT FIRST_ADMIN=$REGISTRY_ADMIN_PORT
  run etcd etcd --data-dir "$TEMP/etcd" --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
    --listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-cluster "default=http://127.0.0.1:$ETCD_PEER"
  wait_port "$ETCD"
  write_registry_config <<<"store: {etcd: {endpoints: [\"http://127.0.0.1:$ETCD\"], lease: ${1:-2s}}}"
  start_registry
  FIRST_PID=$REGISTRY_PID
  eventually 20 leads "$FIRST_ADMIN"
  run second "$NLB_BIN/nlb-registry" serve --config "$TEMP/registry.yaml" --set "registry.grpc=127.0.0.1:$SECOND" \
    --set "admin.address=127.0.0.1:$SECOND_ADMIN" --set "bus.publish=ipc://$NLB_RUNTIME_DIR/second.bus"
  SECOND_PID=$PID
  wait_port "$SECOND_ADMIN"
  export NLB_ENDPOINT=127.0.0.1:$SECOND,127.0.0.1:$FIRST        # the follower is asked first, and names the leader
}
leads() { [ "$(curl -sf --max-time 2 "http://127.0.0.1:$1/status" | jq .leading)" = true ]; }
follows() { [ "$(curl -sf --max-time 2 "http://127.0.0.1:$1/status" | jq .leading)" = false ]; }
PAIR_BUS="bus: {subscribe: [\"ipc://$NLB_RUNTIME_DIR/registry.bus\", \"ipc://$NLB_RUNTIME_DIR/second.bus\"]}"

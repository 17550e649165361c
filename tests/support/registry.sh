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

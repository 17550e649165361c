# shellcheck shell=bash disable=SC2034,SC2154 # the variables are for the tests; lib.sh has the others
# nlb-scale for end-to-end tests: source lib.sh first.

free_port SCALE_ADMIN_PORT
SCALE_CONFIG=$TEMP/scale.yaml
SCALE_LINES=$TEMP/lines
SCALE=$NLB_BIN/nlb-scale
SCALE_UNDER=()                       # what serve runs under: a tracer that ends it (then not being ready is no failure)
[ -x "$SCALE" ] || skip "nlb-scale is not built"

# start_scale <<YAML: serve with these sections, measurements on its stdin (measure); returns when it is ready. SCALE_PID.
start_scale() {
  cat >"$SCALE_CONFIG"
  printf '\nadmin: {address: "127.0.0.1:%s"}\n' "$SCALE_ADMIN_PORT" >>"$SCALE_CONFIG"
  [ -p "$SCALE_LINES" ] || mkfifo "$SCALE_LINES"
  [ -n "${SCALE_IN:-}" ] || exec {SCALE_IN}<>"$SCALE_LINES"
  restart_scale
}
restart_scale() {
  local ready word=""
  rm -f "$TEMP/scale.ready"
  mkfifo "$TEMP/scale.ready"
  "${SCALE_UNDER[@]}" "$SCALE" serve --stdin --config "$SCALE_CONFIG" --ready-fd 9 9>"$TEMP/scale.ready" <"$SCALE_LINES" >>"$TEMP/scale.log" 2>&1 &
  SCALE_PID=$!
  PIDS+=("$SCALE_PID KILL")
  exec {ready}<"$TEMP/scale.ready"
  read -r -t 20 -u "$ready" word || true
  exec {ready}<&-
  [ "$word" = ready ] || [ ${#SCALE_UNDER[@]} -gt 0 ] || fail "nlb-scale did not become ready"
}
measure() { echo "$1" >&"$SCALE_IN"; }
scale() { "$SCALE" "$@" --config "$SCALE_CONFIG"; }
scaled() { scale status -o ndjson | jq -se "[.[] | $1] | any" >/dev/null; }   # scaled JQ_FILTER: true of some service
replicas() { curl -sf --max-time 5 "http://127.0.0.1:$SCALE_ADMIN_PORT/status" | jq -r '.services[].replicas[] | "\(.id) \(.address)"'; }

# start_scaled_web POLICY DRAIN_TIMEOUT TARGET [MORE_POLICIES]: a registry, a forwarder that sends HTTP to service web, and nlb-scale with a
# policy for web: 30 requests a second for each replica, the keys of POLICY, and TARGET, whose command web_command prints. Source registry.sh first.
start_scaled_web() {
  write_registry_config <<<"health: {interval: 300ms, timeout: 250ms}"
  start_registry
  start_forward <<YAML
$(listener)
routes: [{protocol: http, service: web}]
services: {web: {}}
YAML
  start_scale <<YAML
scale:
  interval: 1s
  policies:
    - {service: web, strategy: threshold, targets: {rate: 30, connections: null, cpu_percent: null, memory_percent: null}, $1, target: {$3}}
${4:-}
services: {web: {drain_timeout: $2}}
YAML
}
# web_command NLB_REGISTRY [OPTIONS...] -- SERVER...: nlb-registry starts the server of a replica and registers it.
web_command() {
  local words=("$1" register --name "{instance}" --service web --module-version "{version}" --protocol http --address "127.0.0.1:{port}" --lease 3s "${@:2}")
  echo "command: [$(printf '"%s", ' "${words[@]}")]"
}

# The processes that a process target has left when nlb-scale is gone.
stop_replicas() {
  local pid
  for pid in $(jq -r '.processes[].pid' $(find "$NLB_STATE_DIR" -name "*.json" 2>/dev/null) 2>/dev/null); do [ "$pid" -gt 1 ] && kill -KILL "$pid" 2>/dev/null; done
  return 0
}

# start_engine: a Podman service of the test's own in $ENGINE, with image nlbtest:1 (busybox and /www); ENGINE_PID. Skips where none can run.
start_engine() {
  ENGINE=$TEMP/engine
  mkdir -p "$ENGINE"
  SIGNAL=KILL run engine "$SUPPORT/podman_engine.sh" "$ENGINE"
  ENGINE_PID=$PID
  engine_answers() { [ -e "$ENGINE/skip" ] || curl -sf --max-time 2 --unix-socket "$ENGINE/engine.sock" http://engine/_ping; }
  eventually 90 engine_answers
  [ ! -e "$ENGINE/skip" ] || skip "$(cat "$ENGINE/skip")"
}
# image_with PROGRAM: the image again, with a program and the libraries that it needs.
image_with() {
  local file
  mkdir -p "$ENGINE/root/www"
  echo hello >"$ENGINE/root/www/index.html"
  cp "$1" "$ENGINE/root/"
  for file in $(ldd "$1" | grep -o '/[^ )]*'); do install -D "$file" "$ENGINE/root$file"; done
  tar -C "$ENGINE/root" -cf "$ENGINE/root.tar" .
  "$ENGINE/podman" import "$ENGINE/root.tar" nlbtest:1 >/dev/null 2>&1 || fail "the image could not be made"
}
remove_containers() { [ ! -x "${ENGINE:-/nonexistent}/podman" ] || "$ENGINE/podman" rm -af -t 0; }
trap 'code=$?; set +e; kill -KILL ${SCALE_PID:-} 2>/dev/null; kill -CONT ${ENGINE_PID:-} 2>/dev/null; stop_replicas; remove_containers >/dev/null 2>&1; (exit $code); cleanup' EXIT

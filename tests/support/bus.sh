# shellcheck shell=bash disable=SC2034,SC2154 # sourced after lib.sh and registry.sh; the variables are for the tests
# What the tests of the bus share: a web module that stays registered, load on it, and what nlb-forward knows of whom.

# keep_module NAME PORT [ARGUMENTS...]: an HTTP module that registers itself and beats; its id is in $PID.
keep_module() {
  local name=$1 port=$2
  shift 2
  run "keep-$name" "$NLB_BIN/nlb-registry" register --name "$name" --protocol http --address "127.0.0.1:$port" --check-interval 500ms --keep "$@"
}
bus() { curl -sf --max-time 10 "$ADMIN/status" | jq -r ".bus$1"; }              # bus JQ_PATH: of nlb-forward's status
bus_is() { [ "$(bus "$1")" = "$2" ]; }                                           # bus_is JQ_PATH VALUE
registry_peer='.peers[] | select((.owner | startswith("registry")) or (.peer | endswith("/registry.bus")))'
serves() { [ "$(curl -s --max-time 5 "http://127.0.0.1:$FORWARD_PORT/")" = "hello from ${1:-nginx}" ]; }

start_load() {   # start_load SECONDS: wrk through nlb-forward, a new connection now and then; LOAD_PID
  wrk -t 1 -c 20 -d "$1s" -H 'Connection: close' "http://127.0.0.1:$FORWARD_PORT/" >"$TEMP/wrk.out" 2>&1 &
  LOAD_PID=$!
}
end_load() {     # waits for it; not one request may have failed
  wait "$LOAD_PID"
  assert_contains "$(cat "$TEMP/wrk.out")" "requests in" "wrk's report"
  ! grep -E 'Socket errors|Non-2xx' "$TEMP/wrk.out" || fail "requests failed: $(cat "$TEMP/wrk.out")"
  assert_between "$(awk '/requests in/ { print $1 }' "$TEMP/wrk.out")" 100 1000000000 "requests done"
}

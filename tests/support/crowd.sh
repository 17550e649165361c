# shellcheck shell=bash disable=SC2034,SC2154 # sourced after lib.sh
# Load through nlb-forward for end-to-end tests: crowds of clients at a rate, and sessions that stay open until they are told to end.
declare -A CROWD_PIDS=()
HELD=()

# start_crowd NAME RATE: new connections a second by 200 clients; stop_crowd NAME prints what it saw ($TEMP/crowd-NAME.json).
start_crowd() {
  rm -f "$TEMP/crowd-$1.end"
  "$PYTHON" "$SUPPORT/versions.py" crowd "$FORWARD_PORT" 200 "$2" "$TEMP/crowd-$1.end" >"$TEMP/crowd-$1.json" 2>"$TEMP/crowd-$1.log" &
  CROWD_PIDS[$1]=$!
  PIDS+=("$! TERM")
}
stop_crowd() { touch "$TEMP/crowd-$1.end"; eventually 30 gone "${CROWD_PIDS[$1]}"; cat "$TEMP/crowd-$1.json"; }
serves() { curl -sf --max-time 2 "http://127.0.0.1:$FORWARD_PORT/" >/dev/null; }

hold_session() {   # half a request: its module waits for the rest
  local fd
  exec {fd}<>"/dev/tcp/127.0.0.1/$FORWARD_PORT"
  printf 'GET / HTTP/1.1\r\nHost: web\r\n' >&"$fd"
  HELD+=("$fd")
}
end_sessions() {   # the rest of each request: every one must be answered
  local fd line
  for fd in "${HELD[@]}"; do
    printf 'Connection: close\r\n\r\n' >&"$fd"
    read -r -t 10 line <&"$fd" || fail "a held session got no answer"
    assert_contains "$line" "200 OK" "answer of a held session"
    exec {fd}>&-
  done
  HELD=()
}

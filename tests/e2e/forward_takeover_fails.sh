#!/bin/bash
# A new process that fails at any point before it serves changes nothing: the old one goes on, with its pid file, and can be taken over
# later. More old generations than allowed are refused, with the reason.
. "$(dirname "$0")/../support/lib.sh"
start_redis
cp "$NLB_BIN/nlb-forward" "$TEMP/nlb-forward"; real=$NLB_BIN; NLB_BIN=$TEMP
config() { printf '%s\n' "listen: [{name: edge, address: [$1]}]" "services: {redis: {drain_timeout: 60s}}" modules: "$(module cache-1 redis "$REDIS_PORT")"; }
config "\"127.0.0.1:$FORWARD_PORT\"" >"$TEMP/first.yaml"
start_forward --pid-file "$TEMP/forward.pid" --old-generations 1 <"$TEMP/first.yaml"
still_serves() {   # still_serves WHAT
  alive "$FORWARD_PID" || fail "$1: the old process ended"
  assert_eq "$(redis_through get whoami)" redis "$1: a session"
  eventually 10 grep -qx "$FORWARD_PID" "$TEMP/forward.pid"
  assert_eq "$(curl -s "$ADMIN/status" | jq .pid)" "$FORWARD_PID" "$1: the admin port"
}
by_hand() { "$real/nlb-forward" --config "$TEMP/nlb.yaml" --takeover "$@" </dev/null; }

echo "listen: [{adress: nowhere}]" | write_config
assert_exit 3 by_hand
kill -USR2 "$FORWARD_PID"; eventually 20 grep -q 'did not take over' "$TEMP/forward.log"
still_serves "a bad configuration"
config "\"127.0.0.1:$FORWARD_PORT\", \"127.0.0.1:$REDIS_PORT\"" | write_config     # where redis-server listens
assert_exit 4 by_hand
assert_contains "$(cat "$TEMP/stderr")" "127.0.0.1:$REDIS_PORT" "the reason"
still_serves "a port in use"
config "\"127.0.0.1:$FORWARD_PORT\"" | write_config
echo 'exit 1' >"$TEMP/broken"; chmod +x "$TEMP/broken"; mv "$TEMP/broken" "$TEMP/nlb-forward"
kill -USR2 "$FORWARD_PID"
failures() { [ "$(grep -c 'did not take over\|no successor' "$TEMP/forward.log")" -ge "$1" ]; }
eventually 20 failures 3
still_serves "a broken program"
# One that dies when the old process has let go already: of pid file and bus.
"$PYTHON" - "$NLB_RUNTIME_DIR/forward.takeover" <<'PYTHON'
import json, socket, sys
old = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
old.connect(sys.argv[1])
for word, answer in (("hello", "offer"), ("release", "released")):
    old.send(json.dumps({"word": word, "protocol": 1}).encode())
    text, descriptors, _, _ = socket.recv_fds(old, 65536, 100)
    assert json.loads(text)["word"] == answer, text
PYTHON
eventually 20 failures 4
still_serves "a new process that died late"

cp "$real/nlb-forward" "$TEMP/new"; mv "$TEMP/new" "$TEMP/nlb-forward"
mkfifo "$TEMP/session"
timeout 60 redis-cli -p "$FORWARD_PORT" <"$TEMP/session" >"$TEMP/out" 2>&1 &
exec {session}>"$TEMP/session"
echo "get whoami" >&"$session"; eventually 10 grep -q redis "$TEMP/out"
succeed
assert_exit 6 by_hand
assert_contains "$(cat "$TEMP/stderr")" "1 old generations still drain, and 1 may" "the refusal"
still_serves "one old generation too many"
assert_eq "$(metric nlb_takeovers_failed_total why=refused)" 1 "takeovers refused"
exec {session}>&-
none_left() { metric_is 0 nlb_old_generations; }
eventually 20 none_left
succeed
still_serves "a takeover after all that"

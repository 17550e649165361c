#!/bin/bash
# Active checks without a registry, passive ejection being off: a module that is killed, hangs or says no gets no new sessions, so that none
# fails, while open ones go on; a reload keeps that; once it is back it gets sessions again. With all down nobody is asked.
. "$(dirname "$0")/../support/lib.sh"
start_redis one; one=$REDIS_PORT one_pid=$REDIS_PID
start_redis two; two=$REDIS_PORT
start_nginx web; web=$PROXY_PORT; nginx_worker=$(pgrep -P "$NGINX_PID" | head -n 1)
free_port RPC
echo SERVING >"$TEMP/grpc"
run rpc "$PYTHON" "$SUPPORT/health_server.py" "$RPC" "$TEMP/grpc"
wait_port "$RPC"
config() {
  cat <<YAML
$(listener)
services: {redis: {picker: round_robin, connect: {tries: 1}, eject: {failures: 0}}, http: {picker: round_robin, eject: {failures: 0}}}
health: {interval: 300ms, timeout: 300ms, rise: 2, fall: 3}
modules:
$(module one redis "$one" "check: protocol, weight: $1")
$(module two redis "$two" "check: grpc, control: \"127.0.0.1:$RPC\"")
$(module web-1 http "$web" "check: protocol, send_proxy: v1")
$(module web-2 http "$web" "check: protocol, send_proxy: v2")
YAML
}
start_forward < <(config 100)
of() { curl -sf --max-time 5 "$ADMIN/status" | jq -r --arg name "$1" ".services[].modules[] | select(.name == \$name) | .$2"; }
is() { [ "$(of "$1" health)" = "$2" ]; }
table() { curl -sf --max-time 5 "$ADMIN/status" | jq "${1:-.table_generation}"; }
reloads_are() { [ "$(table .reloads)" = "$1" ]; }
answers() { [ "$(redis_through get whoami)" = "$1" ]; }
all_go_to() { for _ in $(seq 20); do assert_eq "$(redis_through get whoami)" "$1" "${*:2}"; done; }
lines() { grep "$1" "$TEMP/forward.log" | grep -c "$2" || true; }
for name in one two web-1 web-2; do assert_eq "$(of $name health)" healthy "$name at first"; done

kill -KILL "$one_pid"
eventually 20 is one unhealthy
all_go_to two "while one of two is down"
assert_eq "$(of one state)" down "state"
assert_contains "$(of one reason)" "check failed: connect" "why"
assert_between "$(of one health_seconds)" 0 20 "since when"
assert_eq "$(metric nlb_module_health module=one health=unhealthy)" 1 "the metric"
assert_eq "$(lines 'fails its checks' redis/one)" 1 "lines in the log"

before=$(table)
config 50 | write_config; kill -HUP "$FORWARD_PID"; eventually 10 reloads_are 1
assert_eq "$(of one health)" unhealthy "after a reload"
assert_eq "$(table)" $((before + 1)) "tables of a reload"
all_go_to two "after a reload"
mkfifo "$TEMP/ask"
timeout 120 redis-cli -p "$FORWARD_PORT" <"$TEMP/ask" >"$TEMP/open" 2>&1 & exec {ask}>"$TEMP/ask"
echo "get whoami" >&"$ask"; eventually 10 grep -q two "$TEMP/open"

run one redis-server --port "$one" --bind 127.0.0.1 --save '' --appendonly no --dir "$TEMP/one"
wait_port "$one"
redis-cli -p "$one" set whoami one >/dev/null
eventually 20 answers one
assert_eq "$(of one state) $(lines 'answers its checks again' redis/one)" "up 1" "once it is back"

echo NOT_SERVING >"$TEMP/grpc"
eventually 20 is two unhealthy
all_go_to one "while the other says no"
echo "ping" >&"$ask"; eventually 10 grep -q PONG "$TEMP/open"      # the open session goes on
exec {ask}>&-
config 50 | sed 's/check: grpc, //' | write_config; kill -HUP "$FORWARD_PID"; eventually 10 reloads_are 2
assert_eq "$(of two health)" healthy "whom nobody asks any more"

kill -STOP "$nginx_worker"
for name in web-1 web-2; do eventually 20 is $name unhealthy; done
! http_through "http://127.0.0.1:$FORWARD_PORT/" 2>/dev/null || fail "an answer although all are down"
eventually 10 logged 'select(.end == "no_module")'
kill -CONT "$nginx_worker"
for name in web-1 web-2; do eventually 20 is $name healthy; done
for _ in $(seq 5); do assert_contains "$(http_through "http://127.0.0.1:$FORWARD_PORT/")" 127.0.0.1 "once they are back"; done

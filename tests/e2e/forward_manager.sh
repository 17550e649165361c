#!/bin/bash
# The link to an outer manager: registers, reports load and configuration version, registers again when it was forgotten; a manager that
# is away, refuses or hangs changes nothing for traffic, start or end.
. "$(dirname "$0")/../support/lib.sh"
start_nginx
free_port MANAGER
echo "manager-secret" >"$TEMP/key"
config() { printf '%s\n' "$(listener)" "modules:" "$(module web-1 http "$HTTP_PORT" "weight: ${1:-100}")" \
  "manager: {url: \"http://127.0.0.1:$MANAGER/api/\", api_key_file: $TEMP/key, interval: 1s}"; }
start_forward < <(config)                                       # nobody is there yet
answers() { http_through "http://127.0.0.1:$FORWARD_PORT/" >/dev/null; }
answers || fail "no traffic while the manager is away"
manager() { curl -sf "$ADMIN/status" | jq -r ".manager.$1"; }
registered_is() { [ "$(manager registered)" = "$1" ] && metric_is "$2" nlb_manager_up; }
reports() { jq -c "select($1)" "$TEMP/manager.jsonl" 2>/dev/null; }
reported() { [ -n "$(reports "$1")" ]; }
assert_eq "$(manager registered)" false "registered"
eventually 10 grep -q "the manager takes no report" "$TEMP/forward.log"

echo ok >"$TEMP/mode"
run manager "$PYTHON" "$SUPPORT/manager_stub.py" "$MANAGER" "$TEMP/manager.jsonl" "$TEMP/mode" manager-secret
eventually 20 registered_is true 1
for _ in 1 2 3; do answers; done
eventually 10 reported '.path == "/api/heartbeat" and .load.sessions_total >= 4 and .load.modules == 1 and .load.memory_bytes > 1000000'
version=$(reports '.path == "/api/register"' | head -n 1 | jq -r .config_version)
config 50 | write_config; kill -HUP "$FORWARD_PID"
eventually 10 reported ".path == \"/api/heartbeat\" and .config_version != \"$version\""

echo forget >"$TEMP/mode"                                    # a manager without memory is told again
eventually 10 reported '.path == "/api/heartbeat" and .status == 404'
eventually 10 registered_is true 1
assert_eq "$(reports '.path == "/api/register"' | wc -l)" 2 "registrations"
for mode in refuse hang; do
  echo $mode >"$TEMP/mode"
  eventually 20 registered_is true 0
  for _ in $(seq 20); do answers || fail "a request failed while the manager does: $mode"; done
  echo ok >"$TEMP/mode"
  eventually 20 registered_is true 1
done
! grep -q manager-secret "$TEMP/forward.log" || fail "the key is in the log"

echo hang >"$TEMP/mode"
eventually 20 registered_is true 0
start=$(date +%s%N); kill -TERM "$FORWARD_PID"; eventually 10 gone "$FORWARD_PID"
assert_between "$((($(date +%s%N) - start) / 1000000))" 0 2000 "ms that a hanging manager held up the end"

make_certificate; free_port SECURE; echo ok >"$TEMP/mode"        # over TLS, believed by the certificate that the configuration names
run secure "$PYTHON" "$SUPPORT/manager_stub.py" "$SECURE" "$TEMP/secure.jsonl" "$TEMP/mode" manager-secret "$TEMP/cert.pem" "$TEMP/key.pem"
wait_port "$SECURE"
secure() { config | sed "s|http://127.0.0.1:$MANAGER/api/|https://127.0.0.1:$SECURE/api|; s|interval: 1s|interval: 1s${1:-}|"; }
start_forward < <(secure)
eventually 10 grep -q "no trusted connection" "$TEMP/forward.log"
stop "$FORWARD_PID"
start_forward < <(secure ", ca_file: $TEMP/cert.pem")
eventually 10 registered_is true 1
stop "$FORWARD_PID"
config | sed 's|http://|ftp://|' >"$TEMP/bad.yaml"
assert_exit 3 "$NLB_BIN/nlb-forward" --config "$TEMP/bad.yaml"
assert_contains "$(cat "$TEMP/stderr")" "neither http:// nor https://" "a URL that can't be"

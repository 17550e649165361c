#!/bin/bash
# /metrics: every promised name with its labels, well-formed, each series once; the series of a removed module go away.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_redis
start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT")
$(module cache-1 redis "$REDIS_PORT")
limits:
  - {name: http_global, protocol: http, rate: 0.001, burst: 5}
YAML

for _ in $(seq 8); do http_through "http://127.0.0.1:$FORWARD_PORT/" >/dev/null 2>&1 || true; done
redis_through ping >/dev/null
peer send "$FORWARD_PORT" "$(printf '\x00\x01nothing that is known\n' | hex)" >/dev/null
eventually 10 no_session_left
page=$(curl -sf "$ADMIN/metrics")
while read -r name labels; do
  line=$(grep -m1 -E "^$name(\{| )" <<<"$page") || fail "$name is missing"
  for label in $labels; do assert_contains "$line" "$label=\"" "$name"; done
done <<NAMES
nlb_routed_connections_total protocol module
nlb_routing_errors_total protocol error_type
nlb_active_connections protocol module
nlb_ratelimit_allowed_total protocol bucket
nlb_ratelimit_denied_total protocol bucket
nlb_ratelimit_tokens_available protocol bucket
nlb_bytes_relayed_total protocol module direction
nlb_connect_duration_seconds_bucket protocol module le
nlb_first_byte_duration_seconds_count protocol module
nlb_session_duration_seconds_sum protocol module
nlb_detection_duration_seconds_bucket protocol le
nlb_connect_errors_total protocol module
nlb_module_health protocol module health
nlb_reloads_total result
nlb_build_info program version
NAMES
assert_eq "$(metric nlb_routed_connections_total)" 6 "routed"
assert_eq "$(metric nlb_ratelimit_denied_total protocol=http bucket=http_global)" 3 "denied"
assert_eq "$(metric nlb_routing_errors_total error_type=limited protocol=http)" 3 "sessions refused by the limit"
assert_eq "$(metric nlb_routing_errors_total error_type=unknown_protocol)" 1 "sessions of no known protocol"
assert_between "$(metric nlb_ratelimit_tokens_available bucket=http_global)" 0 0.9 "tokens left"
assert_eq "$(grep -v '^#' <<<"$page" | sed 's/ [^ ]*$//' | sort | uniq -d)" "" "series that occur twice"
assert_eq "$(grep '^# TYPE' <<<"$page" | sort | uniq -d)" "" "types given twice"
assert_eq "$(grep -vE '^(# (HELP|TYPE) nlb_|nlb_[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.eEInfNa]+$)' <<<"$page")" "" "lines that are not Prometheus text"
assert_eq "$(grep -oE 'protocol="[^"]*"' <<<"$page" | grep '[A-Z]' || true)" "" "protocols not in lower case"

printf '%s\n' "$(listener)" modules: "$(module web-1 http "$HTTP_PORT")" | write_config
kill -HUP "$FORWARD_PID"
gone_from_metrics() { [ "$(curl -sf "$ADMIN/metrics" | grep -c 'module="cache-1"')" = 0 ]; }
eventually 20 gone_from_metrics
assert_eq "$(metric nlb_reloads_total result=applied)" 1 "reloads"
assert_eq "$(metric nlb_routed_connections_total module=web-1)" 5 "a module that stays keeps its count"

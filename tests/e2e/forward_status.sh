#!/bin/bash
# The admin pages and `nlb-forward status` agree with what was sent; where nobody listens status ends with 4.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT")
YAML

for _ in $(seq 7); do http_through "http://127.0.0.1:$FORWARD_PORT/" >/dev/null; done
assert_eq "$(curl -s -o /dev/null -w '%{http_code}' "$ADMIN/healthz")" 200 healthz
assert_eq "$(curl -s -o /dev/null -w '%{http_code}' "$ADMIN/readyz")" 200 readyz
assert_eq "$(metric nlb_routed_connections_total module=web-1 protocol=http)" 7 "routed"
eventually 10 metric_is 0 nlb_active_connections module=web-1 protocol=http
page=$(curl -s "$ADMIN/metrics")
for name in nlb_routed_connections_total nlb_active_connections nlb_build_info; do
  assert_contains "$page" "# TYPE $name " /metrics
done
curl -s "$ADMIN/status" | jq -e '.. | strings | select(. == "web-1")' >/dev/null || fail "/status does not know the module"
"$NLB_BIN/nlb-forward" status --config "$TEMP/nlb.yaml" -o ndjson | jq -e . >/dev/null || fail "status is not NDJSON"
assert_contains "$("$NLB_BIN/nlb-forward" status --config "$TEMP/nlb.yaml" -o table)" web-1 "the table"
stop "$FORWARD_PID"
assert_exit 4 "$NLB_BIN/nlb-forward" status --config "$TEMP/nlb.yaml"

#!/bin/bash
# `traffic`, once a second, for each service and version: counters that only grow, histograms, modules, and distinct failing clients.
. "$(dirname "$0")/../support/lib.sh"
start_nginx
free_port DEAD_PORT
start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT" "version: v1")
$(module web-2 http "$HTTP_PORT" "version: v2")
$(module gone redis "$DEAD_PORT")
services: {redis: {eject: {failures: 1000}}}
YAML
inspect() { "$NLB_BIN/nlb-inspect" bus "$@" --connect "ipc://$NLB_RUNTIME_DIR/forward.bus"; }
latest() { inspect traffic --once | jq -c "select(.body.service == \"$1\" and .body.version == \"${2:-v1}\") | .body" | tail -n 1; }   # while it asks a newer one may come
sum() { { latest http v1; latest http v2; } | jq -s "map($1 | tonumber) | add"; }
counted() { [ "$(sum .totals.sessions_closed)" = 20 ]; }
for _ in $(seq 20); do http_through "http://127.0.0.1:$FORWARD_PORT/" >/dev/null; done
for _ in 1 2 3; do redis_through ping >/dev/null 2>&1 || true; done
eventually 10 counted
assert_eq "$(sum .totals.attempts)" 20 "attempts of both versions"
assert_between "$(latest http v1 | jq -r '.totals.bytes_to_client | tonumber')" 100 1000000 "bytes of a version"
for histogram in connect_us first_byte_us session_ms bytes_to_client; do
  assert_eq "$(sum "(.$histogram.counts | map(tonumber) | add)")" 20 "values in $histogram"
done
assert_eq "$(latest http v1 | jq -r '.modules | map(.module) | join(" ")')" web-1 "the version's modules"
assert_eq "$(latest http v1 | jq '.modules[0].counters.sessions_opened == .totals.sessions_opened')" true "the module's share of its version"
failing=$(latest redis)
assert_between "$(jq -r '.totals.connect_failures | tonumber' <<<"$failing")" 3 100 "connect failures"
assert_eq "$(jq -r '.totals.connect_failing_clients | tonumber' <<<"$failing")" 1 "distinct clients that failed"

samples=$(inspect "traffic/$(latest http | jq -r .forwarder)/http/v1" --count 4 | jq -sc 'map(.body | {sample: (.sample | tonumber), uptime: (.uptime_ms | tonumber), started: .started_unix_us})')
assert_eq "$(jq -c '[.[1:], .[:-1]] | transpose | map(.[0].sample - .[1].sample) | unique' <<<"$samples")" "[1]" "each sample follows the one before"
assert_between "$(jq '(.[-1].uptime - .[0].uptime) / 3' <<<"$samples")" 800 2000 "ms between two samples"
assert_eq "$(jq 'map(.started) | unique | length' <<<"$samples")" 1 "start times"

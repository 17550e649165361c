#!/bin/bash
# The split from outside: 10,000 clients with addresses of their own. Each keeps its version, their share fits the weight, a rising weight
# only moves clients from stable to the canary, a second forwarder sends each client the same way, and so does one that was killed.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
CLIENTS=${CLIENTS:-10000}
prepare_edges a b
write_controller_config "$EDGES"
start_controller
modules=""
for version in v1 v2; do
  start_nginx $version
  modules+=$(module "$version" http "$HTTP_PORT" "service: web, version: $version")$'\n'
done
for edge in a b; do start_edge $edge <<<$'modules:\n'"${modules}routes: [{protocol: http, service: web}]"; done
deploy init web --stable v1 >/dev/null
eventually 20 applied_by 2
canary start web --to v2 --steps 1,50 --every 1h --pause >/dev/null
shares() { local port=EDGE_PORT_$1; "$PYTHON" "$SUPPORT/versions.py" shares "${!port}" "$CLIENTS"; }
measured() { state_of web .rollout.measured_percent | awk -v c="$1" -v n="$CLIENTS" '{ exit !(($1 - c / n) ^ 2 <= 0.3 ^ 2) }'; }   # by the forwarder itself
before=/dev/null
for weight in 1 10 50; do
  deploy set-weight web $weight >/dev/null
  eventually 20 applied_by 2
  shares a >"$TEMP/a.$weight"
  count=$(grep -c v2 "$TEMP/a.$weight")
  awk -v c="$count" -v n="$CLIENTS" -v w=$weight 'BEGIN { p = w / 100; exit !((c - n * p) ^ 2 <= 16 * n * p * (1 - p)) }' ||
    fail "at $weight % $count of $CLIENTS clients have v2: more than 4 standard deviations off"
  left=$(comm -23 <(grep v2 $before | sort) <(grep v2 "$TEMP/a.$weight" | sort) | wc -l)
  assert_eq "$left" 0 "clients that left v2 while its weight rose to $weight %"
  eventually 10 measured $((100 * count))                       # the last of them may not be told yet
  echo "$weight %: $count of $CLIENTS clients have v2"
  before=$TEMP/a.$weight
done
shares b | cmp - "$TEMP/a.50" || fail "the second forwarder sends clients elsewhere"
kill_controller                                                # with nobody to ask, from its own disk
kill -KILL "$EDGE_PID_a"
eventually 10 gone "$EDGE_PID_a"
restart_edge a
shares a | cmp - "$TEMP/a.50" || fail "the restarted forwarder sends clients elsewhere"

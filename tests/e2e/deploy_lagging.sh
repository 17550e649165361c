#!/bin/bash
# Of two forwarders one is stopped in mid rollout: no step goes up without it, and it is named; a rollback doesn't wait for it. When it
# runs again it takes what it missed.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
prepare_edges a b
write_controller_config "$EDGES"
start_version v1; start_version v2
start_controller
for edge in a b; do
  start_edge $edge <<YAML
modules:
$(for v in v1 v2; do for r in 1 2; do port=PORT_${v}_$r; module "$v-$r" http "${!port}" "service: web, version: $v"; done; done)
routes: [{protocol: http, service: web}]
YAML
done
deploy init web --stable v1 >/dev/null
eventually 20 applied_by 2
start_crowd 300 80 "$EDGE_PORT_a"
canary start web --to v2 --steps 20,50 --every 6s --delta 0.08 >/dev/null
eventually 30 weight_is 20
eventually 15 applied_by 2
kill -STOP "$EDGE_PID_b"
eventually 30 weight_is 50                                      # published; but it is no step before both have it
waits() { [[ "$(state_of web .rollout.waiting_for)" == *"forwarder b-1"* ]]; }
eventually 15 waits
for _ in 1 2 3 4 5 6 7 8; do                                    # longer than the step's own time
  [ "$(state_of web .phase)" = shifting ] || fail "the step went on without the stopped forwarder"
  sleep 1
done
assert_contains "$(state_of web '.rollout.forwarders_lagging | join(" ")')" b-1 "who lags"
begin=$(date +%s%N)
deploy rollback web >/dev/null
answers_v1() { for _ in $(seq 20); do [ "$(curl -s "http://127.0.0.1:$EDGE_PORT_a/")" = v1 ] || return 1; done; }
eventually 5 answers_v1
echo "the other forwarder was back on v1 after $((($(date +%s%N) - begin) / 1000000)) ms"
kill -CONT "$EDGE_PID_b"
eventually 20 applied_by 2
eventually 40 phase_is rolled_back
for _ in $(seq 20); do assert_eq "$(curl -s "http://127.0.0.1:$EDGE_PORT_b/")" v1 "who answers at the forwarder that was stopped"; done
stop_crowd >/dev/null

#!/bin/bash
# Replicas as containers of a real engine (Podman's service, Docker's API) that register themselves from inside: they follow a load through
# nlb-forward, are drained through the registry, and no request fails. An engine that stands still raises an alarm and stops nothing.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
. "$(dirname "$0")/../support/scale.sh"
. "$(dirname "$0")/../support/crowd.sh"
start_engine
image_with "$NLB_BIN/nlb-registry"
start_scaled_web "min: 1, max: 3, periods: 2, up: {cooldown: 0s, step_max: 2}, down: {cooldown: 0s, step_max: 2}" 60s \
  "docker: {image: \"nlbtest:1\", socket: \"$ENGINE/engine.sock\", network: host, environment: {NLB_ENDPOINT: \"$NLB_ENDPOINT\"},
    $(web_command /nlb-registry -- /busybox httpd -f -p "127.0.0.1:{port}" -h /www)}" \
  '    - {service: other, min: 1, max: 3, targets: {connections: 10}, target: {process: {command: [sleep, "600"]}}}'
web() { scaled "select(.service == \"web\") | $1"; }
decisions() { curl -sf "http://127.0.0.1:$SCALE_ADMIN_PORT/status" | jq '[.services[] | select(.service == "other") | .decisions[]] | add'; }
containers() { [ "$("$ENGINE/podman" ps -q | wc -l)" = "$1" ]; }

eventually 60 web '.ready == 1'
eventually 10 serves
start_crowd base 10
start_crowd peak 90
eventually 60 web '.ready == 3'
for _ in 1 2 3 4 5 6; do hold_session; done
kill -STOP "$ENGINE_PID"                                              # the engine hangs
eventually 40 web '.alarm | contains("engine.sock")'
before=$(decisions)
decided() { [ "$(decisions)" -gt "$((before + 2))" ]; }
eventually 10 decided                                                 # the loop goes on, and nobody was lost
web '.wanted == 3' || fail "a hanging engine changed the count"
kill -CONT "$ENGINE_PID"
eventually 90 web '.alarm == ""'
stop_crowd peak >/dev/null
eventually 30 web '.wanted == 1 and (.drains | length == 2)'
containers 3 || fail "a container with sessions was removed"
end_sessions
eventually 60 web '.actual == 1 and (.drains | length == 0)'
eventually 20 containers 1
stop_crowd base >/dev/null
for name in base peak; do assert_eq "$(jq .failed "$TEMP/crowd-$name.json")" 0 "failed requests of the $name crowd"; done
"$ENGINE/podman" kill "$("$ENGINE/podman" ps -q)" >/dev/null                # who dies unasked is replaced
eventually 60 web '.ready == 1 and .actual == 1'
eventually 20 serves
echo "$(jq -s 'map(.requests) | add' "$TEMP"/crowd-*.json) requests, none failed"

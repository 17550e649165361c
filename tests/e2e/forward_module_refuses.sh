#!/bin/bash
# A module that refuses connections costs the client nothing: the next one is tried with the same bytes, and the refusal is counted.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
free_port NOBODY
start_forward <<YAML
$(listener)
services:
  http: {picker: round_robin, connect: {timeout: 2s, tries: 3}, eject: {failures: 1000, for: 1s}}
modules:
$(module gone http "$NOBODY")
$(module web-1 http "$HTTP_PORT")
YAML

for _ in $(seq 50); do assert_eq "$(http_through "http://127.0.0.1:$FORWARD_PORT/")" "hello from web" "an answer"; done
assert_eq "$(metric nlb_routed_connections_total module=web-1)" 50 "sessions of the module that is up"
assert_between "$(metric nlb_connect_errors_total module=gone)" 1 1000000 "refusals counted"
eventually 10 logged 'select(.module == "web-1" and .tries == 2)'

# All modules gone: the client is told at once, not after a timeout.
stop "$NGINX_PID"
started=$(date +%s)
assert_exit 56 curl -sS --max-time 20 "http://127.0.0.1:$FORWARD_PORT/"
assert_between $(($(date +%s) - started)) 0 3 "seconds until the client is refused"

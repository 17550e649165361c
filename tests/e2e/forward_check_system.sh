#!/bin/bash
# check --system: what of this machine is too low for the configuration, with the number it has and the command that changes it.
. "$(dirname "$0")/../support/lib.sh"
config() { echo "listen: [{address: \"127.0.0.1:$FORWARD_PORT\", sessions_max: $1}]" | write_config; }
config 10000
few=$(ulimit -n 1000; "$NLB_BIN/nlb-forward" check --system "$TEMP/nlb.yaml")
assert_contains "$few" "low   descriptors: 1000 a process, for 372 sessions; sessions_max is 10000"
assert_contains "$few" "LimitNOFILE="
assert_contains "$few" "20256"
assert_contains "$few" "--processes 25"
config 300
enough=$(ulimit -n 1000; "$NLB_BIN/nlb-forward" check --system "$TEMP/nlb.yaml")
assert_contains "$enough" "ok    descriptors: 1000 a process, for 372 sessions; sessions_max is 300"
for what in "accept queue" "source ports" "connection tracking" "splice"; do assert_contains "$enough" "$what"; done

#!/bin/bash
# A byte rate holds a stream back without changing it: 4 MiB at 1 MiB a second take about 4 seconds less the burst.
. "$(dirname "$0")/../support/lib.sh"
start_peer stream stream
start_forward <<YAML
$(listener)
modules:
$(module source-1 http "$PEER_PORT")
limits:
  - {name: slow, per: client, bytes_per_second: 1MiB}
YAML

started=$(date +%s%N)
peer download "$FORWARD_PORT" 4 >/dev/null || fail "the stream arrived changed"
assert_between $((($(date +%s%N) - started) / 1000000)) 2500 6000 "milliseconds"

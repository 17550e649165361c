#!/bin/bash
# Long messages on sessions that stay open: what a stream ends with before it waits for the other side arrives without delay, though a fast
# one tells only of many bytes at once.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module redis-1 redis "$REDIS_PORT")
YAML

pids=()
for mebibytes in 3 8 16; do peer exchange "$FORWARD_PORT" $mebibytes 12 >"$TEMP/slowest.$mebibytes" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || fail "a message did not arrive whole"; done
for mebibytes in 3 8 16; do assert_between "$(cat "$TEMP/slowest.$mebibytes")" 1 5000 "milliseconds of $mebibytes MiB there and back"; done
assert_between "$(metric nlb_spliced_bytes_total)" 100000000 100000000000 "bytes spliced"

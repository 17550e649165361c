#!/bin/bash
# 200 MB each way, with checksums, several streams at a time, and memory that does not grow with them.
. "$(dirname "$0")/../support/lib.sh"
start_peer stream stream; stream=$PEER_PORT
start_peer sum sum; sum=$PEER_PORT
start_forward <<YAML
$(listener)
modules:
$(module source-1 http "$stream")
$(module sink-1 redis "$sum")
YAML

pids=()
for i in 1 2; do
  peer download "$FORWARD_PORT" 200 >"$TEMP/down$i" & pids+=($!)
  peer half-close "$FORWARD_PORT" 200 >"$TEMP/up$i" & pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "a stream arrived changed or cut"; done
assert_eq "$(cut -d' ' -f2 "$TEMP/down1")" $((200 << 20)) "bytes down"
assert_eq "$(cut -d' ' -f2 "$TEMP/up1")" $(((200 << 20) + 14)) "bytes up"
eventually 10 logged "select(.module == \"source-1\" and .bytes_down == $((200 << 20)))"
eventually 10 logged "select(.module == \"sink-1\" and .bytes_up == $(((200 << 20) + 14)))"
assert_between "$(awk '/^VmHWM/ { print $2 }' "/proc/$FORWARD_PID/status")" 1 150000 "peak memory in kB"

#!/bin/bash
# Small chunks of many sessions at the same moment, with readers that nap, FINs and resets among them: nothing is lost, doubled or reordered,
# and every end is passed on as what it was, whether chunks are sent together or each by itself.
. "$(dirname "$0")/../support/lib.sh"
bursts() { "$NLB_SOURCE/tests/support/bursts.py" "$INSIDE" "$FORWARD_PORT" "$FORWARD_PID" 64 "$1" | tee "$TEMP/done"; }

start_relay "io_uring: auto"
bursts 900 || fail "sent together"
if grep -q "io_uring is not available" "$TEMP/forward.log"; then assert_eq "$(metric nlb_batched_sends_total)" 0 "shared sends without io_uring"
else assert_between "$(metric nlb_batched_sends_total)" 20000 1000000 "sends that shared a system call"; fi
assert_between "$(jq .resets "$TEMP/done")" 80 100 "resets"
end_relay

start_relay "io_uring: off"
bursts 100 || fail "sent one by one"
assert_eq "$(metric nlb_batched_sends_total)" 0 "shared sends with io_uring off"

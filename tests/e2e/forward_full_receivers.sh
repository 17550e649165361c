#!/bin/bash
# An end that is found behind bytes for which the receiver has no room: the bytes are delivered before an orderly end, also where the other
# side has ended already, and a reset is not forgotten; with splice and without.
. "$(dirname "$0")/../support/lib.sh"
for splice in auto off; do
  start_relay "splice: $splice"
  timeout 100 "$SUPPORT/full_receivers.py" "$INSIDE" "$FORWARD_PORT" "$FORWARD_PID" || fail "with splice: $splice"
  end_relay
done

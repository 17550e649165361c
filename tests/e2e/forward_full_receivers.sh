#!/bin/bash
# An end that is found behind bytes for which the receiver has no room: the bytes are delivered before an orderly end, also where the other
# side has ended already, and a reset is not forgotten; with splice and without.
. "$(dirname "$0")/../support/lib.sh"
free_port inside
config() {
  cat <<YAML
$(listener "protocol: redis")
services: {redis: {half_close: full}}
modules:
$(module end-1 redis "$inside")
relay: {splice: "$1"}
YAML
}
for splice in auto off; do
  start_forward < <(config $splice)
  timeout 100 "$SUPPORT/full_receivers.py" "$inside" "$FORWARD_PORT" "$FORWARD_PID" || fail "with splice: $splice"
  eventually 10 no_session_left
  end_forward || fail "the end of nlb-forward, splice: $splice"
done

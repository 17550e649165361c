#!/bin/bash
# Somebody else binds the registry's endpoint and replays old news: an earlier epoch, the same epoch at a smaller number, and another
# owner in the same epoch. Each is refused and counted, and traffic goes where it went.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/registry.sh"
. "$SUPPORT/bus.sh"
"$PYTHON" -c 'import zmq, google.protobuf' 2>/dev/null || skip "python3-zmq or python3-protobuf is not installed"
start_registry
start_nginx real; real=$HTTP_PORT
start_nginx false; false=$HTTP_PORT
registry register --name web-1 --protocol http --address "127.0.0.1:$real" --lease 1h >/dev/null
start_forward <<<"$(listener)"
eventually 10 serves real
newest=$("$NLB_BIN/nlb-inspect" bus modules --once | jq -s 'max_by(.seq)')
owner=$(jq -r .owner <<<"$newest"); epoch=$(jq -r .epoch <<<"$newest"); seq=$(jq -r .seq <<<"$newest")
kill_registry
counted() { [ "$(bus " | $registry_peer | .$1")" -gt 0 ]; }
impostor() {   # impostor COUNTER OWNER EPOCH SEQ: until that counter of nlb-forward has moved
  run fake "$PYTHON" "$SUPPORT/fake_owner.py" "ipc://$NLB_RUNTIME_DIR/registry.bus" "$2" "$3" "$4" "web-1=127.0.0.1:$false"
  eventually 30 counted "$1"
  serves real || fail "what the impostor said is believed ($1)"
  stop "$PID" KILL
}
impostor refused_epoch "$owner" $((epoch - 1)) 1000
eventually 10 grep -q "accept-epoch" "$TEMP/forward.log"        # refused aloud, with what to do
impostor refused_owner $((owner + 1)) "$epoch" 1000
assert_eq "$(bus .modules)" 1 modules
impostor_of_the_past() {
  run fake "$PYTHON" "$SUPPORT/fake_owner.py" "ipc://$NLB_RUNTIME_DIR/registry.bus" "$owner" "$epoch" $((seq - 1)) "web-1=127.0.0.1:$false"
  eventually 30 bus_is " | $registry_peer | .live" true        # its beat claims nothing that is newer than what is known
  serves real || fail "an old snapshot of the same epoch is believed"
  stop "$PID" KILL
}
impostor_of_the_past
start_registry
eventually 20 bus_is " | $registry_peer | .owner" "$(curl -sf "$REGISTRY_ADMIN/status" | jq -r '.bus.directory[0].owner')"
serves real || fail "the real registry's module is not served"

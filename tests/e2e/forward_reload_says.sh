#!/bin/bash
# A reload says what it can't take up, a refused one is counted whatever refused it, and a port that another process has is not shared.
. "$(dirname "$0")/../support/lib.sh"
start_redis
start_forward <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML
says() { grep -q "$1" "$TEMP/forward.log"; }
refused() { [ "$(curl -sf "$ADMIN/status" | jq .reloads_refused)" = "$1" ] && [ "$(metric nlb_reloads_total result=refused)" = "$1" ]; }
cp "$TEMP/nlb.yaml" "$TEMP/good.yaml"
sed -i 's/^log:.*/log: {level: error, access: {file: "\/no\/such\/file"}}/' "$TEMP/nlb.yaml"
kill -HUP "$FORWARD_PID"
eventually 10 says '"message":"changed keys that only a new process takes up: restart this one","keys":"log.level, log.access.file"'
echo 'nonsense: [' >>"$TEMP/nlb.yaml"
kill -HUP "$FORWARD_PID"
eventually 10 refused 1
rm "$TEMP/nlb.yaml"
kill -HUP "$FORWARD_PID"
eventually 10 refused 2
cp "$TEMP/good.yaml" "$TEMP/nlb.yaml"

sed 's/^admin:.*/admin: {address: "127.0.0.1:0"}/' "$TEMP/good.yaml" >"$TEMP/other.yaml"
for processes in 1 2; do
  NLB_STATE_DIR=$TEMP/other NLB_RUNTIME_DIR=$TEMP/other assert_exit 4 timeout 20 "$NLB_BIN/nlb-forward" --config "$TEMP/other.yaml" --processes $processes
  assert_contains "$(cat "$TEMP/stderr")" "another process listens there"
done
for _ in $(seq 20); do assert_eq "$(redis_through ping)" PONG "while another tries"; done

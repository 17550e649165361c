#!/bin/bash
# A port that is taken ends the start with exit code 4 and says which address, and why, for traffic and for admin.
. "$(dirname "$0")/../support/lib.sh"
start_redis
write_config <<YAML
listen: [{address: "127.0.0.1:$REDIS_PORT"}]
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML
assert_exit 4 timeout 20 "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml"
assert_contains "$(cat "$TEMP/stderr")" "127.0.0.1:$REDIS_PORT" "the address"
assert_contains "$(cat "$TEMP/stderr")" "in use" "the reason"

write_config <<YAML
$(listener)
admin: {address: "127.0.0.1:$REDIS_PORT"}
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML
assert_exit 4 timeout 20 "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml"
assert_contains "$(cat "$TEMP/stderr")" "address 127.0.0.1:$REDIS_PORT is in use: another process listens there: choose another with admin.address"

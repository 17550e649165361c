#!/bin/bash
# A wrong configuration: exit code 3, every problem at once as file:line:col, with the nearest key; nothing is started.
. "$(dirname "$0")/../support/lib.sh"
cat >"$TEMP/bad.yaml" <<YAML
listen:
  - adress: 127.0.0.1:$FORWARD_PORT
modules:
  - {name: web-1, protocol: htpp, address: 127.0.0.1:9001}
  - {name: web-1, protocol: http, address: 127.0.0.1:99999}
limits:
  - {name: fast, rate: many}
YAML
assert_exit 3 "$NLB_BIN/nlb-forward" check "$TEMP/bad.yaml" >"$TEMP/out"
cat "$TEMP/stderr" >>"$TEMP/out"
for line in 2 4 5 7; do grep -qE "bad.yaml:$line:[1-9][0-9]*: " "$TEMP/out" || fail "line $line is not among: $(cat "$TEMP/out")"; done
assert_contains "$(cat "$TEMP/out")" address "the nearest key"
assert_exit 3 timeout 10 "$NLB_BIN/nlb-forward" --config "$TEMP/bad.yaml"
assert_exit 4 timeout 10 "$NLB_BIN/nlb-forward" --config "$TEMP/missing.yaml"
assert_exit 2 timeout 10 "$NLB_BIN/nlb-forward" --no-such-option

write_config "$TEMP/good.yaml" <<YAML
$(listener)
modules:
$(module web-1 http 9001)
YAML
assert_exit 0 "$NLB_BIN/nlb-forward" check "$TEMP/good.yaml" >/dev/null

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
sevices: {}
YAML
assert_exit 3 "$NLB_BIN/nlb-forward" check "$TEMP/bad.yaml" >"$TEMP/out"
cat "$TEMP/stderr" >>"$TEMP/out"
while IFS='|' read -r place words; do assert_contains "$(grep -F "bad.yaml:$place: " "$TEMP/out")" "$words" "$place"; done <<'EXPECTED'
2:5|unknown key: did you mean 'address'?
2:5|missing: it has no default
4:29|'htpp' is none of http, tls, mysql, postgresql, mongodb, redis, rtmp: did you mean 'http'?
5:12|'web-1' is the name of modules[0] already
5:44|'127.0.0.1:99999' is no address
7:24|'many' is no number
8:1|unknown key: did you mean 'services'?
EXPECTED
assert_eq "$(grep -c bad.yaml: "$TEMP/out")" 7 "problems told at once"
assert_exit 3 timeout 10 "$NLB_BIN/nlb-forward" --config "$TEMP/bad.yaml"
assert_exit 4 timeout 10 "$NLB_BIN/nlb-forward" --config "$TEMP/missing.yaml"
assert_exit 2 timeout 10 "$NLB_BIN/nlb-forward" --no-such-option

write_config "$TEMP/good.yaml" <<YAML
$(listener)
modules:
$(module web-1 http 9001)
YAML
assert_exit 0 "$NLB_BIN/nlb-forward" check "$TEMP/good.yaml" >/dev/null

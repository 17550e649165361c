#!/bin/bash
# Flag over environment over file over default, and --print-config says where each value came from.
. "$(dirname "$0")/../support/lib.sh"
write_config <<YAML
$(listener)
modules:
$(module cache-1 redis 6379)
detect: {timeout: 3s}
limits:
  - {name: http, protocol: http, rate: 10}
YAML
print() { "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --print-config "$@"; }
timeout_of() { awk '/^detect:/ { on = 1 } on && /timeout:/ { print $2, $4, $5; exit }'; }
assert_eq "$(print | timeout_of)" "3s line 4" "from the file"
assert_eq "$(NLB_DETECT__TIMEOUT=4s print | timeout_of)" "4s environment " "from the environment"
assert_eq "$(NLB_DETECT__TIMEOUT=4s print --set detect.timeout=6s | timeout_of)" "6s flag " "from a flag"
assert_contains "$(NLB_CONFIG=$TEMP/nlb.yaml "$NLB_BIN/nlb-forward" --print-config)" cache-1 "the file named by NLB_CONFIG"
NLB_DETECT__TIMOUT=4s assert_exit 3 "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --check-config
assert_contains "$(cat "$TEMP/stderr")" timeout "the nearest key for a misspelt variable"
assert_exit 3 "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --check-config --set detect.timeout=fast
print >"$TEMP/printed.yaml"
"$NLB_BIN/nlb-forward" check "$TEMP/printed.yaml" || fail "what --print-config prints is no configuration"

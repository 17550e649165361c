#!/bin/bash
# A module that fails again and again is left out for a while, and gets sessions again once it is back.
. "$(dirname "$0")/../support/lib.sh"
start_redis one; one=$REDIS_PORT
free_port TWO
start_forward <<YAML
$(listener)
services:
  redis: {picker: round_robin, connect: {tries: 2}, eject: {failures: 3, for: 2s, max_percent: 50}}
modules:
$(module one redis "$one")
$(module two redis "$TWO")
YAML

for _ in $(seq 20); do assert_eq "$(redis_through get whoami)" one "an answer while one of two is down"; done
assert_eq "$(metric nlb_module_ejected module=two)" 1 "ejected"
assert_eq "$(metric nlb_module_ejections_total module=two)" 1 "ejections"
assert_eq "$(metric nlb_connect_errors_total module=two)" 3 "attempts before the ejection"

run two redis-server --port "$TWO" --bind 127.0.0.1 --save '' --appendonly no --dir "$TEMP"
wait_port "$TWO"
redis-cli -p "$TWO" set whoami two >/dev/null
back() { [ "$(redis_through get whoami)" = two ]; }
eventually 20 back
assert_eq "$(metric nlb_module_ejected module=two)" 0 "ejected, once it is back"

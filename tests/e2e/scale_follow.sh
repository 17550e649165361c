#!/bin/bash
# The whole journey with real processes: a load through nlb-forward rises and falls, replicas register themselves and follow it by what
# the bus tells, are drained through the registry when it falls, called back when it returns first, and not one request fails.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
. "$(dirname "$0")/../support/scale.sh"
. "$(dirname "$0")/../support/crowd.sh"
start_scaled_web "min: 2, max: 6, periods: 2, up: {cooldown: 0s, step_max: 2}, down: {cooldown: 0s, step_max: 4}" 90s \
  "process: {$(web_command "$NLB_BIN/nlb-registry" --drain-timeout 20s -- "$PYTHON" "$SUPPORT/versions.py" serve "{port}" "{instance}")}"
routable() { [ "$(registry list -o ndjson | jq -s '[.[] | select(.routable)] | length')" = "$1" ]; }
draining() { [ "$(registry list -o ndjson | jq -s '[.[] | select(.phase == "draining")] | length')" = "$1" ]; }

eventually 20 scaled '.ready == 2'                                    # the minimum, by registration
eventually 10 serves
start_crowd base 20
start_crowd peak 120
eventually 60 scaled '.ready >= 5'                                    # 140 a second, 30 each
most=$(scale status -o ndjson | jq .ready)
eventually 10 routable "$most"
for _ in $(seq $((4 * most))); do hold_session; done                  # everybody has sessions that stay
stop_crowd peak >/dev/null
eventually 60 scaled '.wanted == 2 and (.drains | length >= 3)'
eventually 10 draining $((most - 2))
scaled ".actual == $most" || fail "a replica with sessions was removed"
start_crowd second 120                                                # back before they are gone
eventually 60 scaled ".ready >= 5 and .actual == $most"
eventually 10 draining "$(scale status -o ndjson | jq '.drains | length')"
stop_crowd second >/dev/null
eventually 60 scaled '.wanted == 2 and (.drains | length >= 3)'
end_sessions                                                          # each ends with its answer
eventually 60 scaled '.actual == 2 and .ready == 2 and (.drains | length == 0)'
eventually 20 routable 2
stop_crowd base >/dev/null
for name in base peak second; do
  assert_eq "$(jq .failed "$TEMP/crowd-$name.json")" 0 "failed requests of the $name crowd"
  [ "$(jq .requests "$TEMP/crowd-$name.json")" -gt 100 ] || fail "the $name crowd asked too little"
done
scale history -n 1000 -o ndjson | jq -se 'any(.[]; .verb == "up" and (.text | contains("called back")))' >/dev/null || fail "nobody was called back"
echo "$most replicas at the peak; $(jq -s 'map(.requests) | add' "$TEMP"/crowd-*.json) requests, none failed"

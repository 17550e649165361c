#!/bin/bash
# A canary whose places are taken gets no more weight, and isn't rolled back for it: the rollout says what it waits for, and goes on when
# there is room again. No request fails meanwhile: what finds no place there goes to the old version.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
start_redis v1; v1=$REDIS_PORT
start_redis v2; v2=$REDIS_PORT
start_controller
start_forward <<YAML
$(listener)
modules:
$(module v1 redis "$v1" "service: web, version: v1")
$(module v2 redis "$v2" "service: web, version: v2, max_connections: 20")
YAML
deploy init web --stable v1 >/dev/null
eventually 15 split_is_applied
start_crowd 400 150 "$FORWARD_PORT" redis
canary start web --to v2 --steps 20,100 --every 5s --delta 0.05 --sticky connection >/dev/null
eventually 30 phase_is baking

HELD=()
taken() { metric nlb_active_connections module=v2 protocol=redis; }
fill() {   # sessions that stay open, at either version, until 18 of the 20 places are taken by them
  local fd who full=0
  for _ in $(seq 600); do
    exec {fd}<>"/dev/tcp/127.0.0.1/$FORWARD_PORT"
    HELD+=("$fd")
    printf 'GET whoami\r\n' >&"$fd"
    read -r -t 10 -u "$fd" _ && read -r -t 10 -u "$fd" who
    [ "$who" != $'v2\r' ] || full=$((full + 1))
    [ $full -lt 18 ] || return 0
  done
  fail "only $full sessions reached v2"
}
for port in "$v1" "$v2"; do redis-cli -p "$port" set whoami "$([ "$port" = "$v1" ] && echo v1 || echo v2)" >/dev/null; done
fill
assert_between "$(taken)" 18 20 "sessions of v2"
waits_for_room() { [[ "$(state_of web .rollout.waiting_for)" == "capacity: at forwarder "*"of the places of v2 are taken"* ]]; }
eventually 60 waits_for_room
assert_between "$(state_of web '.versions[] | select(.version == "v2") | .weight_percent')" 10 20 "the weight of v2 while it is full (10: it is the first contact's)"
for fd in "${HELD[@]}"; do exec {fd}>&-; done
eventually 60 phase_is promoted
seen=$(stop_crowd)
assert_eq "$(jq .failed <<<"$seen")" 0 "failed requests of $(jq .requests <<<"$seen")"

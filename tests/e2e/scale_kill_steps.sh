#!/bin/bash
# kill -9 at every step: a tracer ends nlb-scale at its k-th sync (each thing that it writes down) and at its k-th rename (each process
# that it notes), for every k of a rise. The next serve goes on: the count is reached, nobody is started twice, nobody is left behind.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/scale.sh"
strace -o "$TEMP/try" true 2>/dev/null || skip "strace is not installed, or nothing can be traced here"
load() { measure '{"service":"web","connections":35}'; scaled "$1"; }
reached() { gone "$SCALE_PID" || load '.actual == 4'; }
processes() { pgrep -fc "^sleep $1\$" || true; }

scene() {   # scene CALLS K: a fresh store, and an end at the K-th of these calls; ENDED says whether the rise got that far
  local mark="600.$$$2"                                     # how these processes are told from those of other tests
  export NLB_STATE_DIR=$TEMP/state-${1%%,*}-$2
  SCALE_UNDER=(strace -D -f -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2")
  start_scale <<YAML
scale:
  interval: 1s
  policies:
    - {service: web, min: 1, max: 4, strategy: threshold, periods: 1, targets: {connections: 10, cpu_percent: null, memory_percent: null},
       up: {cooldown: 0s, step_max: 4}, down: {cooldown: 0s}, target: {process: {command: [sleep, "$mark"]}}}
YAML
  eventually 30 reached
  ENDED=yes
  if alive "$SCALE_PID"; then ENDED=no; stop "$SCALE_PID" KILL; fi
  SCALE_UNDER=()
  restart_scale
  eventually 30 load '.actual == 4 and .wanted == 4 and .alarm == ""'
  assert_eq "$(processes "$mark")" 4 "processes after an end at $1 $2"
  stop "$SCALE_PID" KILL
  stop_replicas
}

for calls in fdatasync,fsync rename; do
  ENDED=yes
  for ((k = 1; k <= 30; ++k)); do
    scene "$calls" $k
    [ $ENDED = yes ] || break
  done
  [ $k -gt 4 ] || fail "$calls: only $k places to end at"
  echo "$calls: ended at $((k - 1)) places"
done

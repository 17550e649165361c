#!/bin/bash
# A module that is killed in mid-stream: its sessions see a reset or an end at once, the other module's go on, new ones go there.
. "$(dirname "$0")/../support/lib.sh"
start_redis one; one=$REDIS_PORT; one_pid=$REDIS_PID
start_redis two; two=$REDIS_PORT
start_forward <<YAML
$(listener)
services:
  redis: {picker: round_robin, eject: {failures: 1, for: 30s, max_percent: 50}}
modules:
$(module one redis "$one")
$(module two redis "$two")
YAML

mkfifo "$TEMP/first" "$TEMP/second"   # two sessions, one on each module
for name in first second; do
  timeout 60 redis-cli -p "$FORWARD_PORT" <"$TEMP/$name" >"$TEMP/$name.out" 2>&1 &
done
exec {first}>"$TEMP/first" {second}>"$TEMP/second"
echo "get whoami" >&"$first"; echo "get whoami" >&"$second"
eventually 10 grep -qE 'one|two' "$TEMP/first.out"; eventually 10 grep -qE 'one|two' "$TEMP/second.out"
assert_eq "$(sort "$TEMP/first.out" "$TEMP/second.out" | tr -d '\n')" onetwo "modules in use"

stop "$one_pid" KILL
eventually 10 logged 'select(.module == "one" and (.end | startswith("module_")))'
[ "$(cat "$TEMP/first.out")" = two ] && alive=first || alive=second
echo ping >&"${!alive}"
eventually 10 grep -q PONG "$TEMP/$alive.out"
exec {first}>&- {second}>&-
for _ in $(seq 20); do assert_eq "$(redis_through get whoami)" two "a new session"; done

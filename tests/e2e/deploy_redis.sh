#!/bin/bash
# Versions of a Redis module, all real servers. One that has lost a command, which one request in twenty asks for, answers -ERR and is
# rolled back by itself, with the hurt clients counted; a good one is promoted while the crowd goes on and no request fails.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
modules=""
for version in v1 broken v2; do
  for replica in 1 2; do
    start_redis "$version-$replica"
    redis-cli -p "$REDIS_PORT" set whoami "$version" >/dev/null
    modules+=$(module "$version-$replica" redis "$REDIS_PORT" "service: web, version: $version")$'\n'
    if [ $version = broken ]; then   # the same data, without the command
      stop "$REDIS_PID"
      run "$version-$replica" redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --dir "$TEMP/$version-$replica" --rename-command STRLEN "''"
      wait_port "$REDIS_PORT"
      redis-cli -p "$REDIS_PORT" set whoami "$version" >/dev/null
    fi
  done
done
start_controller
start_forward <<YAML
$(listener)
modules:
$modules
services: {web: {eject: {failures: 1000000}}}
YAML
deploy init web --stable v1 >/dev/null
eventually 15 split_is_applied
rolled_back() {
  local begin code=0
  start_crowd 400 150 "$FORWARD_PORT" redis
  begin=$(date +%s%N)
  canary start web --to broken --steps 10,50 --every 60s --wait --timeout 120s -o ndjson >"$TEMP/broken.out" 2>"$TEMP/broken.log" || code=$?
  assert_eq $code 1 "exit code for -ERR ($(tail -n1 "$TEMP/broken.out"))"
  seen=$(stop_crowd)
  assert_contains "$(state_of web .rollout.reason)" "worse: failures" "the cause"
  assert_between "$(jq .hurt_clients <<<"$seen")" 1 60 "clients hurt by -ERR"
  echo "-ERR for 5 %: rolled back after $((($(date +%s%N) - begin) / 1000000)) ms, $(jq .hurt_clients <<<"$seen") of 400 clients hurt: $(state_of web .rollout.reason)"
}
rolled_back
start_crowd 400 150 "$FORWARD_PORT" redis
canary start web --to v2 --steps 10,50 --every 4s --delta 0.05 --wait --timeout 90s >/dev/null
seen=$(stop_crowd)
assert_eq "$(jq .failed <<<"$seen")" 0 "failed requests of $(jq .requests <<<"$seen")"
assert_eq "$(redis_through get whoami)" v2 "who answers after the promotion"

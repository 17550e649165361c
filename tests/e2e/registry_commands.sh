#!/bin/bash
# The command line: tables for people, NDJSON for pipes, exit codes; a drain shows the sessions that forwarders still have.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_site
start_redis
registry register --name a --protocol redis --address "127.0.0.1:$REDIS_PORT" --check-interval 500ms --lease 1h -o table | grep -q "redis/a is registered for 1h"
eventually 20 redis_through ping
for verb in list stats "stats --modules" health; do
  # shellcheck disable=SC2086 # several words
  { registry $verb | jq -e . >/dev/null || fail "$verb in a pipe is no JSON"; registry $verb -o table >"$TEMP/table"; }
  grep -qE '^(SERVICE|MODULE) ' "$TEMP/table" || fail "$verb: no table: $(cat "$TEMP/table")"
done
registry watch -o ndjson >"$TEMP/watch.jsonl" & watcher=$!
PIDS+=("$watcher TERM")
eventually 10 grep -q synced "$TEMP/watch.jsonl"

mkfifo "$TEMP/hold"                                             # 20 sessions that stay open
peer hold "$FORWARD_PORT" 20 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
sessions_are() { [ "$(registry stats --modules -o ndjson | jq .sessions)" = "$1" ]; }
eventually 10 sessions_are 20
assert_eq "$(registry drain redis/a --reason upgrade | jq -c '[.phase, .sessions, .reason]')" '["draining",20,"upgrade"]' "drain"
assert_contains "$(registry drain redis/a -o table)" "redis/a is draining; 20 sessions are open" "drain for people"
assert_exit 5 registry drain redis/a --wait 1s >/dev/null
assert_contains "$(cat "$TEMP/stderr")" "still has 20 sessions" "the wait"
registry unregister redis/a --drain --drain-timeout 1m --wait 1m >"$TEMP/waited" {until}>&- & waiting=$!
eventually 10 grep -q '"sessions":20' "$TEMP/waited"
is_listed redis/a || fail "it was removed while it had sessions"
exec {until}>&-
wait $holder || fail "a session was cut by a drain"
wait $waiting || fail "the wait did not end well"
is_gone redis/a || fail "still there"
assert_eq "$(tail -n 1 "$TEMP/waited" | jq -c '[.module, .phase, .sessions]')" '["redis/a","gone",0]' "the last line"
eventually 10 grep -q '"removed"' "$TEMP/watch.jsonl"
assert_eq "$(jq -r .change "$TEMP/watch.jsonl" | sort -u | tr '\n' ' ')" "changed current removed synced " "events"

registry keygen edge --directory "$TEMP" >/dev/null
assert_eq "$(stat -c %a "$TEMP/edge.key")" 600 "the secret key's mode"
never() { registry register --name never --protocol redis --address "127.0.0.1:$REDIS_PORT" --check none -- "$@"; }
registrations() { registry stats | jq .registrations; }
before=$(registrations)
assert_exit 127 never "$TEMP/absent" --flag
assert_eq "$(cat "$TEMP/stderr")" "nlb-registry: start $TEMP/absent: No such file or directory: name a program that can be run, with its path or in \$PATH" "why"
assert_exit 126 never "$TEMP/edge.pub"
assert_contains "$(cat "$TEMP/stderr")" "start $TEMP/edge.pub: Permission denied" "why"
assert_eq "$(registrations)" "$before" "a command that doesn't run is not registered, although somebody listens at its address"
assert_exit 7 never bash -c 'exit 7'
for word in frobnicate --nope; do
  assert_exit 2 registry $word
  assert_contains "$(cat "$TEMP/stderr")" "not expected: $word" "what is wrong with it"
done
assert_exit 2 registry list --nonsense
assert_exit 2 registry register --name a --protocol smtp --address 127.0.0.1:25
assert_exit 2 registry
assert_exit 4 registry list --registry 127.0.0.1:1
assert_exit 3 registry list --config <(echo "registry: {grpcs: x}")
assert_exit 6 registry health redis/a

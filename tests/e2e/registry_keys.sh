#!/bin/bash
# The cluster's API key: missing, wrong, from a file, from the environment; two keys overlap while they are rotated; none is ever printed.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
REDIS_PORT=6379
old=old-secret-$RANDOM$RANDOM new=new-secret-$RANDOM$RANDOM
echo "$old" >"$TEMP/old"; echo "$new" >"$TEMP/new"; echo "wrong-secret" >"$TEMP/wrong"
printf '# ours\n%s\n' "$old" >"$TEMP/keys"
write_registry_config <<<"security: {api_key_file: $TEMP/keys}
log: {level: debug}"
start_registry
by() { registry list --api-key-file "$TEMP/$1" >/dev/null; }
refused() { ! by "$1" 2>"$TEMP/stderr"; }

assert_exit 6 registry list
assert_contains "$(cat "$TEMP/stderr")" "x-nlb-api-key" "the refusal says how to send one"
assert_contains "$(cat "$TEMP/stderr")" UNAUTHENTICATED "without a key"
assert_exit 6 by wrong
assert_contains "$(cat "$TEMP/stderr")" UNAUTHENTICATED "with a wrong key"
assert_exit 6 env NLB_API_KEY="$old "x "$NLB_BIN/nlb-registry" list
by old
NLB_API_KEY=$old registry list >/dev/null
# shellcheck disable=SC2046 # several words
registry register --api-key-file "$TEMP/old" $(redis_module a) >/dev/null
"$NLB_BIN/nlb-registry" watch --api-key-file "$TEMP/old" -o ndjson >"$TEMP/watch.jsonl" & watcher=$!
PIDS+=("$watcher TERM")
eventually 10 grep -q synced "$TEMP/watch.jsonl"

printf '%s\n%s\n' "$old" "$new" >"$TEMP/keys"; kill -HUP "$REGISTRY_PID"
eventually 10 by new
by old                                                      # both are in force
printf '%s\n' "$new" >"$TEMP/keys"; kill -HUP "$REGISTRY_PID"
eventually 10 refused old
by new
: >"$TEMP/keys"; kill -HUP "$REGISTRY_PID"                  # a mistake changes nothing
eventually 10 registry_says "reload refused"
by new
alive $watcher || fail "a stream that was open was cut by the rotation"
for secret in "$old" "$new" wrong-secret; do
  { cat "$TEMP/registry.log"; curl -s "$REGISTRY_ADMIN/status"; curl -s "$REGISTRY_ADMIN/metrics"; tr '\0' ' ' <"/proc/$REGISTRY_PID/cmdline"; } >"$TEMP/said"
  ! grep -q "$secret" "$TEMP/said" || fail "a key was printed"
done

#!/bin/bash
# Keepalive at its own speed: a client that says nothing for a while keeps its connection, and a registry that stands still (SIGSTOP: its machine's kernel answers, it doesn't) is noticed by a watching
# client within 10 s and 3 s, and the client can watch again when it goes on. integration/rpc has the other end and the pings.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_registry
watchers_are() { [ "$(curl -sf "$REGISTRY_ADMIN/status" | jq .watchers)" = "$1" ]; }
watch() { run watch "$NLB_BIN/nlb-registry" watch -o ndjson; eventually 10 watchers_are "$1"; }
connection() { ss -Htnp state established "dport = :$REGISTRY_PORT" | grep "pid=$1," | awk '{print $3}'; }
run idle "$NLB_BIN/nlb-registry" register --name idle --protocol http --address 127.0.0.1:9 --check none --lease 1h --keep      # beats every 20 minutes
idle=$PID idle_since=$SECONDS
eventually 10 is_listed http/idle
first=$(connection "$idle")
assert_contains "$first" 127.0.0.1 "the idle client's connection"
two_pings_later() { [ $((SECONDS - idle_since)) -gt 24 ]; }
eventually 40 two_pings_later
assert_eq "$(connection "$idle")" "$first" "the idle client's connection after two pings"

watch 1; watcher=$PID
registry register --name a --protocol http --address 127.0.0.1:9 --check none --lease 1h >/dev/null
eventually 10 grep -q '"added"' "$TEMP/watch.log"

kill -STOP "$REGISTRY_PID"
before=$SECONDS
eventually 30 gone "$watcher"
noticed=$((SECONDS - before))
kill -CONT "$REGISTRY_PID"
ended_with "$watcher" 4
assert_between "$noticed" 3 17 "seconds until the client noticed"      # a ping after 10 s, 3 s for its answer
assert_contains "$(cat "$TEMP/watch.log")" "UNAVAILABLE" "what the client says"
eventually 10 watchers_are 0
watch 1

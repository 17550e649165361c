#!/bin/bash
# examples/module.sh behind nlb-forward while requests flow: nlb-registry runs a server that knows nothing of balancers, registers it,
# reports its load, drains it, ends it when a newer process has its name.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
PATH=$NLB_BIN:$PATH
start_site
moved_from() { [ "$(state_of http/first address)" != "$1" ]; }
has_sessions() { registry stats --modules -o ndjson | jq -e "select(.module == \"$1\") | .sessions > 0" >/dev/null; }
STARTED=0
start_module() { free_port PORT; run "$1.$((++STARTED))" "$NLB_SOURCE/examples/module.sh" "$1" "$PORT" --lease 3s --check-interval 500ms; }
start_module first; first=$PID
eventually 40 answer_is "hello from first"
start_flow
eventually 15 reports_load http/first
start_module second; second=$PID
eventually 40 module_is http/second routable true

registry unregister http/first --drain >/dev/null               # the operator takes it out: its sessions end, then it is told to stop
eventually 40 gone "$first"
ended_with "$first" 1
start_module first; first=$PID
eventually 40 module_is http/first routable true
stop "$second"                                                  # TERM lets its sessions end first
ended_with "$second" 0
eventually 10 is_gone http/second

exec {open}<>"/dev/tcp/127.0.0.1/$FORWARD_PORT"                # a session of the only module, in the middle of its request
printf 'GET / HTTP/1.0\r\n' >&"$open"
eventually 10 has_sessions http/first
older=$first log=$TEMP/first.$STARTED.log was=$(state_of http/first address)
start_module first; first=$PID                                  # a newer process of its name
eventually 20 moved_from "$was"
eventually 10 grep -q "newer process" "$log"                    # the older knows
printf '\r\n' >&"$open"
grep -q "hello from first" <&"$open" || fail "the open session was cut"
exec {open}>&-
eventually 40 gone "$older"
ended_with "$older" 1
eventually 20 module_is http/first routable true
end_flow

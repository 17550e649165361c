#!/bin/bash
# examples/module.sh behind nlb-forward: nlb-registry runs a server that knows nothing of balancers, registers it,
# reports its load, drains it, ends it when a newer process has its name.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
PATH=$NLB_BIN:$PATH
start_site
start_module() { free_port PORT; run "$1" "$NLB_SOURCE/examples/module.sh" "$1" "$PORT" --lease 3s --check-interval 500ms; }
start_module first; first=$PID
eventually 40 answer_is "hello from first"
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
start_module second
eventually 40 module_is http/second routable true
older=$first
start_module first; first=$PID
eventually 40 gone "$older"
ended_with "$older" 1
eventually 20 module_is http/first routable true

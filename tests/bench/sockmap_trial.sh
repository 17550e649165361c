#!/bin/bash
# sockmap_trial.sh [ROUNDS] [GIB]: why nlb-forward has no sockmap relay (libnlb/relay/sockmap.md), measured again on this kernel, in a network
# namespace of its own. Needs CAP_BPF and CAP_NET_ADMIN in the first user namespace (root).
#
#   1. a retransmission that overlaps: the usual verdict program doubles bytes, the guarded one doesn't
#   2. the guarded relay under torture, GIB gibibytes (default 10)
#   3. cost of bulk, 1 and 4 streams, medians of ROUNDS (default 3): CPU of the relay with the kernel's threads, and of everything with the
#      ends (where the program runs), for no relay, nlb-forward with splice, the sockmap relay, and the sockmap relay without back-pressure
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
[ -n "${NLB_BENCH_NAMESPACE:-}" ] || NLB_BENCH_NAMESPACE=1 exec unshare --net "$0" "$@"
ip link set lo up
# shellcheck source=tests/support/lib.sh
. "$here/../support/lib.sh"
rounds=${1:-3} gib=${2:-10}
"$NLB_BIN/bench_sockmap" probe || exit 1

for program in plain guarded; do
  echo "overlap, $program program: $("$NLB_BIN/bench_sockmap" overlap $program || true)"
done

free_port inside
trial_relay() { run "$1" "$NLB_BIN/bench_sockmap" relay "$2" "$3" "${@:4}"; wait_port "$2"; }
trial_relay torture "$FORWARD_PORT" "$inside"
"$NLB_BIN/relay_torture" --listen "$inside" --via "$FORWARD_PORT" --gib "$gib" --session-mib 512 || fail "the sockmap relay is wrong"
stop "$PID"
echo "torture: $(cat "$TEMP/torture.log")"

free_port server; free_port bounded; free_port unbounded; free_port forward
run server "$NLB_BIN/bench_load" server "$server"; server_pid=$PID
wait_port "$server"
FORWARD_PORT=$forward
start_forward <<YAML
$(listener "protocol: redis")
modules:
$(module load-1 redis "$server")
log: {level: warn, access: {file: ""}}
YAML
declare -A at=([direct]=$server [splice]=$forward [sockmap]=$bounded [sockmap-unbounded]=$unbounded) pid=([direct]= [splice]=$FORWARD_PID)
kernel_threads() { pgrep -d, '^(kworker|ksoftirqd)'; }
measure() {   # measure RELAY STREAMS PIDS
  # shellcheck disable=SC2016 # $$ is the client's own
  bash -c 'exec "$0" client bulk-down "127.0.0.1:$1" --flight "$2" --seconds 2 --watch "${3/self/$$}" --label "\"relay\":\"$4\""' \
    "$NLB_BIN/bench_load" "${at[$1]}" "$2" "$3" "$1" | jq -c "{relay, streams: $2, whole: $4, rate: (.bytes / .seconds / 1e9), ns: ((.user_s + .system_s) / .bytes * 1e9)}"
}
for ((round = 0; round < rounds; round++)); do
  for relay in direct splice sockmap sockmap-unbounded; do
    for streams in 1 4; do
      case $relay in   # a fresh one each, so that its numbers are of this run
        sockmap) trial_relay "$relay-$streams" "$bounded" "$server"; pid[$relay]=$PID ;;
        sockmap-unbounded) trial_relay "$relay-$streams" "$unbounded" "$server" --window 0 --receive 0; pid[$relay]=$PID ;;
      esac
      [ $relay = direct ] || measure $relay $streams "${pid[$relay]},$(kernel_threads)" false
      measure $relay $streams "${pid[$relay]:+${pid[$relay]},}$server_pid,self,$(kernel_threads)" true
      case $relay in sockmap*) stop "${pid[$relay]}" ;; esac
    done
  done
done >"$TEMP/runs"
jq -sr 'def median: sort | .[length / 2 | floor];
  ["relay", "streams", "GB/s", "ns/B relay", "ns/B all"], (group_by([.streams, .relay])[] |
    [.[0].relay, .[0].streams, ([.[].rate] | median), ([.[] | select(.whole | not).ns] | if . == [] then 0 else median end), ([.[] | select(.whole).ns] | median)] |
    map(if type == "number" then (. * 1000 | round) / 1000 else . end)) | @tsv' "$TEMP/runs" | column -t -s$'\t'
for relay in sockmap sockmap-unbounded; do
  echo "queued in the kernel at most, $relay: $(cat "$TEMP/$relay"-[14].log | jq -s 'map(.backlog_max) | max / 1e6 | round') MB"
done

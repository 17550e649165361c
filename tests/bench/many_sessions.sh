#!/bin/bash
# many_sessions.sh [SESSIONS]: holds SESSIONS (default 100000) at the same time under --processes, all of them in use, on a machine whose
# processes may not have descriptors for so many. In a network namespace of its own, where connections are not tracked; clients come to
# several 127.x addresses of one port, since one pair of addresses has ports for 64,511. Then a takeover, in which every session stays
# where it is. Prints what was held, in how many processes, and their memory.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
if [ -z "${NLB_BENCH_NAMESPACE:-}" ]; then
  as_root=$([ "$(id -u)" = 0 ] || echo --map-root-user)
  NLB_BENCH_NAMESPACE=1 exec unshare --net $as_root "$0" "$@"
fi
ip link set lo up
sysctl -qw net.ipv4.ip_local_port_range="1024 65535" net.core.somaxconn=4096
# shellcheck source=tests/support/lib.sh
. "$here/../support/lib.sh"
sessions=${1:-100000} limit=$(ulimit -Hn)
processes=$(((sessions * 5 / 2 + limit - 1) / limit))      # two descriptors a session, and room for uneven hashing
ends=$(((sessions * 11 / 10 + limit - 1) / limit))         # processes on each side
each=$(((sessions + ends - 1) / ends))
modules=() clients=() inputs=()
for i in $(seq "$ends"); do
  SIGNAL=KILL run "server$i" "$PYTHON" -u "$here/many_sessions.py" server 127.0.1.$i 6379
  modules+=("$(module "cache-$i" redis 6379 "max_connections: 1000000" | sed "s/127.0.0.1/127.0.1.$i/")")
done
for i in $(seq "$ends"); do eventually 20 grep -q ready "$TEMP/server$i.log"; done
start_forward --processes "$processes" --workers 1 --pid-file "$TEMP/forward.pid" <<YAML
listen: [{name: edge, address: "0.0.0.0:$FORWARD_PORT", sessions_max: 1000000, detect: {unfinished_max: 100000}}]
services: {redis: {idle_timeout: 1h, drain_timeout: 1h}}
modules:
$(printf '%s\n' "${modules[@]}")
log: {level: warn}
YAML
began=$(date +%s)
for i in $(seq "$ends"); do
  mkfifo "$TEMP/in$i"
  "$PYTHON" -u "$here/many_sessions.py" client 127.0.0.$i "$FORWARD_PORT" "$each" <"$TEMP/in$i" >"$TEMP/client$i" 2>&1 &
  clients+=($!)
  exec {input}<>"$TEMP/in$i"
  inputs+=("$input")
done
all_say() {   # all_say WORD: the sum of what the clients' last lines have behind it, once all have that many such lines
  local i sum=0
  for i in $(seq "$ends"); do
    [ "$(grep -c "^$1" "$TEMP/client$i")" -ge "${2:-1}" ] || return 1
    sum=$((sum + $(grep "^$1" "$TEMP/client$i" | tail -1 | cut -d' ' -f2)))
  done
  total=$sum
}
total=0 rounds=0
eventually 170 all_say held
echo "held: $total sessions in $(($(date +%s) - began)) s, with a limit of $limit descriptors a process"
round() {
  local input
  rounds=$((rounds + 1))
  for input in "${inputs[@]}"; do echo >&"$input"; done
  eventually 60 all_say round $rounds
  echo "$1: $total of $((each * ends)) sessions answer"
}
kilobytes() { local pid sum=0; for pid in "$@"; do sum=$((sum + $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"))); done; echo $sum; }
round "in use"
assert_eq "$total" $((each * ends)) "sessions that answer"
mapfile -t children < <(pgrep -P "$FORWARD_PID")
echo "processes: ${#children[@]}, most descriptors in one: $(for pid in "${children[@]}"; do ls "/proc/$pid/fd" | wc -l; done | sort -n | tail -1)"
echo "memory: $(kilobytes "${children[@]}") kB resident in all of them"
echo "one /metrics: nlb_active_connections $(metric nlb_active_connections), one /status: $(curl -s "$ADMIN/status" | jq -c '[.processes, .sessions.open]')"
assert_eq "$(metric nlb_active_connections)" $((each * ends)) "active connections"

old=$FORWARD_PID
succeed
round "after a takeover"
assert_eq "$total" $((each * ends)) "sessions after a takeover"
eventually 10 test "$(curl -s "$ADMIN/status" | jq '.old_generations[0].sessions')" != null
for input in "${inputs[@]}"; do exec {input}>&-; done
for pid in "${clients[@]}"; do wait "$pid" || fail "a client"; done
eventually 60 gone "$old"
echo "ended: the old parent and its ${#children[@]} processes, with the last session"

#!/bin/bash
# relay_torture.sh [OPTIONS]: known bytes through nlb-forward, every one of them looked at (support/relay_torture.cpp): streams both ways in
# all sizes, slow readers, half-closes and resets, while the configuration is read again and again. In a network namespace of its own.
#
#   --gib N              to verify (default 100; about a minute per 50 GiB on two idle processors)
#   --splice auto|off    how nlb-forward moves long streams (default auto)
#   --io-uring auto|off  how it sends small chunks (default auto)
#   --session-mib M      the largest stream (default 512)
#   --sessions K         at a time (default 4)
#   --seed S             draws other sessions
#   --sockmap            through the sockmap relay of the trial (sockmap.hpp) instead of nlb-forward
#
# Prints one JSON line with what was verified; exit code 1 when a byte was lost, doubled, misplaced or late, or an end was not passed on.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
if [ -z "${NLB_BENCH_NAMESPACE:-}" ]; then
  as_root=$([ "$(id -u)" = 0 ] || echo --map-root-user)
  NLB_BENCH_NAMESPACE=1 exec unshare --net $as_root "$0" "$@"
fi
ip link set lo up
# shellcheck source=tests/support/lib.sh
. "$here/../support/lib.sh"

gib=100 splice=auto io_uring=auto session_mib=512 sessions=4 seed=1 sockmap=''
while [ $# -gt 0 ]; do
  case $1 in
    --gib) gib=$2; shift ;;
    --splice) splice=$2; shift ;;
    --io-uring) io_uring=$2; shift ;;
    --session-mib) session_mib=$2; shift ;;
    --sessions) sessions=$2; shift ;;
    --seed) seed=$2; shift ;;
    --sockmap) sockmap=1 ;;
    *) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
  shift
done

if [ -n "$sockmap" ]; then
  free_port INSIDE
  run sockmap "$NLB_BIN/bench_sockmap" relay "$FORWARD_PORT" "$INSIDE"
  wait_port "$FORWARD_PORT"
else
  start_relay "splice: \"$splice\", io_uring: \"$io_uring\""
  while sleep 1; do kill -HUP "$FORWARD_PID" 2>/dev/null || break; done &
fi

"$NLB_BIN/relay_torture" --listen "$INSIDE" --via "$FORWARD_PORT" --gib "$gib" --session-mib "$session_mib" --sessions "$sessions" --seed "$seed" ||
  fail "the relay does not keep its promises"
if [ -n "$sockmap" ]; then
  stop "$PID"
  cat "$TEMP/sockmap.log"
else
  eventually 10 no_session_left
  jq -nc --argjson spliced "$(metric nlb_spliced_bytes_total)" --argjson batched "$(metric nlb_batched_sends_total)" \
    '{spliced_gib: ($spliced / 1073741824 * 100 | round / 100), batched_sends: $batched}'
fi

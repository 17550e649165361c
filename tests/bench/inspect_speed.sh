#!/bin/bash
# inspect_speed.sh [CAPTURE...]: nlb-inspect beside ndpiReader and tshark on the same large mixed capture, in turn, ROUNDS times.
#
# The capture is made by repeating the Ethernet captures that are given, else those under $NLB_SHARED/detection/captures, else
# conversations made by tests/support/make_pcap.py; addresses change from round to round, so that flows differ. SIZE (bytes, default
# 260000000) and ROUNDS (3) may be set. The file is read once before, so all find it in the page cache. Each program's best run counts.
# tshark dissects far more; it is measured once, on the first 50 MB, as a point of reference.
set -euo pipefail
source=$(readlink -f "$(dirname "$0")/../..")
bin=${NLB_BIN:-$source/build/release/bin}
shared=${NLB_SHARED:-$source/../shared}
work=$(mktemp -d "${TMPDIR:-/tmp}/nlb-speed-XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ $# -gt 0 ]; then files=("$@")
elif [ -d "$shared/detection/captures" ]; then mapfile -t files < <(find "$shared/detection/captures" -name '*.pcap' -size +8k -size -900k | sort)
else
  /usr/bin/python3 "$source/tests/support/make_pcap.py" mixed "$work/mixed.pcap" --flows 6000
  files=("$work/mixed.pcap")
fi
/usr/bin/python3 "$source/tests/support/make_pcap.py" repeat "$work/big.pcap" "${SIZE:-260000000}" "${files[@]}" 2>"$work/made"
cat "$work/made"
packets=$(cut -d' ' -f1 "$work/made")
cat "$work/big.pcap" >/dev/null

# measure NAME PACKETS COMMAND...: appends "name seconds cpu-seconds kilobytes packets" to the results
measure() {
  local name=$1 count=$2
  shift 2
  command -v "$1" >/dev/null || { echo "$name: not installed, left out"; return 0; }
  /usr/bin/time -f '%e %U %S %M' -o "$work/time" "$@" >/dev/null 2>"$work/stderr" || { echo "$name failed: $(tail -1 "$work/stderr")"; return 0; }
  tail -1 "$work/time" | awk -v n="$name" -v p="$count" '{ print n, $1, $2 + $3, $4, p }' >>"$work/results"
}

for _ in $(seq "${ROUNDS:-3}"); do
  measure nlb-inspect "$packets" "$bin/nlb-inspect" "$work/big.pcap" -o ndjson
  measure nlb-inspect-summary "$packets" "$bin/nlb-inspect" "$work/big.pcap" --summary
  measure ndpiReader "$packets" ndpiReader -q -d -i "$work/big.pcap"
done
if command -v editcap >/dev/null && command -v tshark >/dev/null; then
  some=$((packets / 5))
  editcap -r "$work/big.pcap" "$work/some.pcap" 1-$some
  measure tshark $some tshark -n -r "$work/some.pcap" -T fields -e frame.protocols
fi
sort -k1,1 -k3,3n "$work/results" | awk '!seen[$1]++' | awk '
  { name[NR] = $1; cpu[NR] = $3; rate[NR] = $5 / ($3 > 0 ? $3 : 0.01); wall[NR] = $2; kb[NR] = $4; ns[NR] = $3 * 1e9 / $5; if ($1 == "nlb-inspect") ours = rate[NR] }
  END {
    printf "%-20s %10s %10s %16s %12s %10s %18s\n", "program", "seconds", "CPU s", "packets/CPU s", "ns/packet", "MiB", "nlb-inspect is"
    for (i = 1; i <= NR; ++i)
      printf "%-20s %10.2f %10.2f %16.0f %12.0f %10.1f %16.1fx\n", name[i], wall[i], cpu[i], rate[i], ns[i], kb[i] / 1024, ours / rate[i]
  }'

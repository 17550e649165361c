#!/bin/bash
# nlb-inspect gives the same answer for the same conversations in every format, link type and way in.
. "$(dirname "$0")/../support/lib.sh"
make() { /usr/bin/python3 "$SUPPORT/make_pcap.py" "$@"; }
inspect() { "$NLB_BIN/nlb-inspect" "$@"; }
answers() { grep -o '"protocol":"[a-z]*"' | sort; }

make mixed "$TEMP/plain.pcap" --flows 60
expected=$(inspect "$TEMP/plain.pcap" | answers)
assert_eq "$(sort -u <<<"$expected" | wc -l)" 6 "protocols in the capture"
for link in ethernet vlan sll sll2 raw null; do
  make mixed "$TEMP/a.pcap" --flows 60 --link $link
  assert_eq "$(inspect "$TEMP/a.pcap" | answers)" "$expected" "link type $link"
done
for format in pcapng big nano; do
  make mixed "$TEMP/a.pcap" --flows 60 --format $format
  assert_eq "$(inspect "$TEMP/a.pcap" | answers)" "$expected" "format $format"
done
make mixed-links "$TEMP/links.pcapng" --flows 60
assert_eq "$(inspect "$TEMP/links.pcapng" | answers)" "$expected" "several link types in one file"
assert_eq "$(inspect - <"$TEMP/plain.pcap" | answers)" "$expected" "standard input"
assert_eq "$(cat "$TEMP/plain.pcap" | inspect | answers)" "$expected" "a pipe"

# the promised keys, in NDJSON and as CSV's header
keys='time client server protocol details first_speaker start_seen packets_client packets_server bytes_client bytes_server decided_at_byte rule'
assert_eq "$(inspect "$TEMP/plain.pcap" | head -1 | /usr/bin/python3 -c 'import json,sys; print(*json.loads(input()))')" "$keys" "keys"
assert_eq "$(inspect "$TEMP/plain.pcap" -o csv | head -1)" "${keys// /,}" "CSV header"
assert_contains "$(inspect "$TEMP/plain.pcap" --explain -o table)" "client's first bytes, decided at byte" "--explain"
assert_contains "$(inspect "$TEMP/plain.pcap" --summary -o ndjson)" '"protocol":"redis","flows":10,' "--summary"

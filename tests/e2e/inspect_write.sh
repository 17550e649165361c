#!/bin/bash
# -p picks flows, -w writes their packets, -f looks at a part of the packets, --flows-max bounds the table.
. "$(dirname "$0")/../support/lib.sh"
inspect() { "$NLB_BIN/nlb-inspect" "$@"; }
count() { grep -c "\"protocol\":\"$1\"" || true; }

/usr/bin/python3 "$SUPPORT/make_pcap.py" mixed "$TEMP/all.pcap" --flows 90
for out in out.pcap out.pcapng; do
  inspect "$TEMP/all.pcap" -p redis -p mysql -w "$TEMP/$out" >"$TEMP/first"
  inspect "$TEMP/$out" >"$TEMP/second"
  assert_eq "$(count redis <"$TEMP/second")" 15 "redis flows in $out"
  assert_eq "$(count mysql <"$TEMP/second")" 15 "mysql flows in $out"
  assert_eq "$(wc -l <"$TEMP/second")" 30 "all flows in $out"
  assert_eq "$(sort "$TEMP/second")" "$(sort "$TEMP/first")" "the flows of $out, packets, bytes and times included"
done
inspect "$TEMP/all.pcap" -w "$TEMP/copy.pcap" >/dev/null
assert_eq "$(stat -c %s "$TEMP/copy.pcap")" "$(stat -c %s "$TEMP/all.pcap")" "a copy of all flows"

/usr/bin/python3 "$SUPPORT/make_pcap.py" mixed-links "$TEMP/links.pcapng" --flows 60
assert_exit 0 inspect "$TEMP/links.pcapng" -w "$TEMP/one.pcap" >/dev/null
assert_contains "$(cat "$TEMP/stderr")" "of another link type were not written"
inspect "$TEMP/links.pcapng" -w "$TEMP/links2.pcapng" >"$TEMP/first" 2>"$TEMP/stderr"
assert_eq "$(inspect "$TEMP/links2.pcapng" | sort)" "$(sort "$TEMP/first")" "several link types written and read"

assert_eq "$(inspect "$TEMP/all.pcap" -f 'tcp port 6379' | wc -l)" 15 "flows under a filter"
assert_exit 0 inspect "$TEMP/all.pcap" --flows-max 1 >"$TEMP/first"
assert_eq "$(wc -l <"$TEMP/first")" 90 "flows with room for one"
assert_exit 4 inspect "$TEMP/all.pcap" -w "$TEMP/no/such/folder.pcap"

# What -w names is only emptied where there is something to read, and never when it is that.
before=$(sha256sum <"$TEMP/copy.pcap")
ln -s "$TEMP/copy.pcap" "$TEMP/link.pcap"
assert_exit 2 inspect "$TEMP/copy.pcap" -w "$TEMP/link.pcap"
assert_contains "$(cat "$TEMP/stderr")" "is the capture that is read"
assert_exit 4 inspect "$TEMP/no-such.pcap" -w "$TEMP/copy.pcap"
assert_eq "$(sha256sum <"$TEMP/copy.pcap")" "$before" "the file after both"

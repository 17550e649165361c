#!/bin/bash
# nlb-inspect bytes: raw bytes, hexadecimal text, a line at a time; exit 1 where nothing is recognised.
. "$(dirname "$0")/../support/lib.sh"
bytes() { "$NLB_BIN/nlb-inspect" bytes -o ndjson "$@"; }

assert_contains "$(printf 'PING\r\n' | bytes)" '"verdict":"match","protocol":"redis","need_bytes":0'
assert_contains "$(echo '47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a' | bytes --hex)" '"protocol":"http"'
printf 'SSH-2.0-x\r\n' >"$TEMP/ssh"
assert_exit 1 bytes "$TEMP/ssh" >"$TEMP/out"
assert_contains "$(cat "$TEMP/out")" '"verdict":"unknown","protocol":"unknown"'
assert_exit 6 bytes --hex "$TEMP/ssh"
assert_contains "$(cat "$TEMP/stderr")" "is not hexadecimal"
assert_exit 4 bytes "$TEMP/absent"

printf '50494e470d0a\n1603\n-\n0000000804d2162f\n' >"$TEMP/lines"
assert_eq "$(bytes --lines "$TEMP/lines" | grep -o '"verdict":"[a-z]*","protocol":"[a-z]*"' | tr '\n' ' ')" \
  '"verdict":"match","protocol":"redis" "verdict":"more","protocol":"unknown" "verdict":"more","protocol":"unknown" "verdict":"match","protocol":"postgresql" ' "lines"
greeting=4a0000000a382e302e33360007000000313233343536373800ffff2102
assert_contains "$(echo $greeting | bytes --lines --from server)" '"verdict":"match","protocol":"mysql"'
assert_contains "$(echo $greeting | bytes --lines --from client)" '"verdict":"unknown"'
proxied=$(printf 'PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\nPING\r\n' | od -An -v -tx1 | tr -d ' \n')
assert_contains "$(echo "$proxied" | bytes --lines)" '"protocol":"redis"' "a PROXY header in front"

# lines are answered one by one: the first answer is there before the second line is sent
mkfifo "$TEMP/fifo"
bytes --lines <"$TEMP/fifo" 2>&1 | cat >"$TEMP/answers" &
PIDS+=("$! TERM")
exec 9>"$TEMP/fifo"
echo 50494e470d0a >&9
eventually 10 test -s "$TEMP/answers" || fail "no answer to the first line while the second is to come"
exec 9>&-

#!/bin/bash
# One JSON line per session: who, what, where to, how many bytes, how long, how it ended; USR1 opens the file anew for logrotate.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT" "version: v3")
YAML

port=$(http_through -o "$TEMP/body" -w '%{local_port}' "http://127.0.0.1:$FORWARD_PORT/")
eventually 10 logged "select(.client == \"127.0.0.1:$port\")"
logged 'select(.protocol == "http" and .service == "http" and .version == "v3" and .module == "web-1" and .listener == "edge"
  and (.id | length) > 8 and .bytes_up > 50 and .bytes_down > 100 and .detect_us >= 0 and .connect_us >= 0 and .first_byte_us > 0
  and .duration_us >= .first_byte_us and (.end == "client_closed" or .end == "module_closed") and (.time | endswith("Z")))' \
  || fail "the line: $(cat "$ACCESS_LOG")"

mv "$ACCESS_LOG" "$TEMP/rotated"
kill -USR1 "$FORWARD_PID"
eventually 10 test -e "$ACCESS_LOG"
for _ in $(seq 25); do http_through "http://127.0.0.1:$FORWARD_PORT/" >/dev/null; done
all_there() { [ "$(cat "$ACCESS_LOG" "$TEMP/rotated" | wc -l)" = 26 ]; }
eventually 10 all_there
kill -TERM "$FORWARD_PID"
wait "$FORWARD_PID"
assert_eq "$(jq -r .id "$ACCESS_LOG" "$TEMP/rotated" | sort -u | wc -l)" 26 "distinct session ids"

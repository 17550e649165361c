#!/bin/bash
# A trusted peer's PROXY header is stepped over and its address is the client's from then on; from others it is not accepted.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
free_port CLOSED_PORT
start_forward <<YAML
listen:
  - {address: "127.0.0.1:$FORWARD_PORT", proxy_protocol: {accept: true, from: [127.0.0.0/8]}}
  - {address: "127.0.0.1:$CLOSED_PORT", proxy_protocol: {accept: true, from: [192.0.2.0/24]}}
modules:
$(module web-1 http "$PROXY_PORT" "send_proxy: v2")
YAML

request=$(printf 'GET / HTTP/1.0\r\n\r\n' | hex)
v1=$(printf 'PROXY TCP4 192.0.2.7 198.51.100.1 4242 80\r\n' | hex)
v2=0d0a0d0a000d0a515549540a2111000cc0000207c633640110920050   # 192.0.2.7:4242, port 80
answer() { peer send "$1" "$2" | cut -d' ' -f1 | sed 's/../\\x&/g' | xargs -0 printf; }
assert_contains "$(answer "$FORWARD_PORT" "$v1$request")" "192.0.2.7 4242" "version 1"
assert_contains "$(answer "$FORWARD_PORT" "$v2$request")" "192.0.2.7 4242" "version 2"
assert_contains "$(http_through --haproxy-protocol "http://127.0.0.1:$FORWARD_PORT/")" 127.0.0.1 "curl's own header"
assert_eq "$(peer send "$CLOSED_PORT" "$v1$request" | cut -d' ' -f1)" - "a header from a peer that is not trusted"
eventually 10 logged 'select(.client == "192.0.2.7:4242" and .module == "web-1")'

#!/bin/bash
# HTTP/1.1, and HTTPS with HTTP/2 in it (routed by its server name, not decrypted) reach nginx through one port.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$HTTP_PORT")
$(module tls-1 tls "$HTTPS_PORT" "service: secure")
routes:
  - {sni: localhost, service: secure}
YAML

assert_eq "$(http_through "http://127.0.0.1:$FORWARD_PORT/")" "hello from web" "plain HTTP"
assert_eq "$(http_through --cacert "$TEMP/cert.pem" "https://localhost:$FORWARD_PORT/")" "hello from web" "HTTPS"
assert_eq "$(http_through --http2 --cacert "$TEMP/cert.pem" -w '%{http_version}' -o "$TEMP/body" "https://localhost:$FORWARD_PORT/")" 2 "HTTP version by ALPN"
assert_eq "$(http_through -X PROPFIND -o "$TEMP/body" -w '%{http_code}' "http://127.0.0.1:$FORWARD_PORT/")" 200 "a WebDAV method"

# Two requests on one connection are one session.
http_through "http://127.0.0.1:$FORWARD_PORT/" "http://127.0.0.1:$FORWARD_PORT/" >/dev/null
eventually 10 metric_is 3 nlb_routed_connections_total module=web-1 protocol=http
eventually 10 logged 'select(.protocol == "tls" and .module == "tls-1" and .service == "secure")'

#!/bin/bash
# Routes: by server name, ALPN, HTTP host, PostgreSQL database and user, client network; the first that fits wins; a fallback for the unknown.
. "$(dirname "$0")/../support/lib.sh"
start_nginx plain; plain=$HTTP_PORT secure=$HTTPS_PORT
start_nginx other; other=$HTTP_PORT other_secure=$HTTPS_PORT
start_peer any pong anything; any=$PEER_PORT
start_peer pg pong reports-database; pg=$PEER_PORT
start_peer admin pong admin-database; admin=$PEER_PORT
start_forward <<YAML
$(listener)
modules:
$(module plain http "$plain")
$(module other http "$other" "service: other")
$(module secure tls "$secure" "service: secure")
$(module other-secure tls "$other_secure" "service: other-secure")
$(module any http "$any" "service: any")
$(module pg postgresql "$pg" "service: reports")
$(module pg-admin postgresql "$admin" "service: admin")
fallback: any
routes:
  - {http_host: nowhere.test, source: [192.0.2.0/24], service: any}
  - {http_host: "*.other.test", service: other}
  - {alpn: h2, service: other-secure}
  - {sni: localhost, service: secure}
  - {postgres_user: admin, service: admin}
  - {postgres_database: reports, service: reports}
YAML

url=http://127.0.0.1:$FORWARD_PORT/
assert_eq "$(http_through "$url")" "hello from plain" "no route fits"
assert_eq "$(http_through -H 'Host: www.other.test:8080' "$url")" "hello from other" "HTTP host, with a wildcard and a port"
assert_eq "$(http_through -H 'Host: nowhere.test' "$url")" "hello from plain" "host fits, source does not"
https() { http_through --cacert "$TEMP/cert.pem" "$@" "https://localhost:$FORWARD_PORT/"; }
assert_eq "$(https --http2)" "hello from other" "ALPN h2"
assert_eq "$(https --http1.1)" "hello from plain" "server name"
startup() { printf '\0\3\0\0user\0%s\0database\0%s\0\0' "$1" "$2" | { body=$(hex); printf '%08x%s' $((${#body} / 2 + 4)) "$body"; }; }
says() { peer drip "$FORWARD_PORT" "$1" "$(printf %s "$2" | hex)" || fail "$2"; }
says "$(startup tester reports)" reports-database
says "$(startup admin reports)" admin-database
says "$(printf '\x00\x01nothing that is known\n' | hex)" anything

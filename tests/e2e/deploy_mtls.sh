#!/bin/bash
# The controller on TCP: strangers and the wrong authority's certificates aren't heard, a certificate speaks only for the services that it
# names, TCP without certificates is refused at the start, and a renewed certificate is taken on HUP.
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/deploy.sh"
free_port TCP
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -keyout "$TEMP/$1.key" -out "$TEMP/$1.pem" 2>/dev/null; }
certify() {   # certify NAME AUTHORITY SANS: NAME.pem and NAME.key
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$TEMP/$1.key" -out "$TEMP/$1.csr" 2>/dev/null
  openssl x509 -req -in "$TEMP/$1.csr" -CA "$TEMP/$2.pem" -CAkey "$TEMP/$2.key" -CAcreateserial -days 2 -extfile <(echo "subjectAltName=$3") -out "$TEMP/$1.pem" 2>/dev/null
}
config() { echo "security: {tls: {certificate: $TEMP/$1.pem, key: $TEMP/$1.key, client_ca: $TEMP/$2.pem}}"; }
client() {   # client NAME AUTHORITY: a configuration as a pipeline's machine would have it
  { config "$1" "$2"; echo "deploy: {grpc: \"127.0.0.1:$TCP\"}"; echo "store: {sqlite: $TEMP/none/deploy.db}"; } >"$TEMP/$1.yaml"
}
authority ours; authority theirs
certify server ours DNS:localhost,IP:127.0.0.1
certify web ours DNS:web,URI:nlb:service:web; certify other ours DNS:other,URI:nlb:service:other; certify stranger theirs DNS:web,URI:nlb:service:web
client web ours; client other ours; client stranger ours
write_controller_config "$(config server ours)" "unix:$TEMP/deploy.sock,127.0.0.1:$TCP"
sed '/^security/d' "$TEMP/deploy.yaml" >"$TEMP/naked.yaml"
assert_exit 6 "$DEPLOY" serve --config "$TEMP/naked.yaml"
assert_contains "$(cat "$TEMP/stderr")" "TCP needs mTLS" "why TCP alone is refused"
start_controller
by() { local who=$1 verb=$2; shift 2; timeout 30 "$DEPLOY" "$verb" "$@" --config "$TEMP/$who.yaml"; }
by web init web --stable v1 >/dev/null
assert_eq "$(by web get web -o ndjson | jq -r .service)" web "over TCP, with a certificate for it"
assert_exit 6 by other init web --stable v1
assert_contains "$(cat "$TEMP/stderr")" "its certificate doesn't name it" "why another service's certificate is refused"
assert_exit 4 by stranger get web
echo "deploy: {grpc: \"127.0.0.1:$TCP\"}" >"$TEMP/plain.yaml"
assert_exit 4 by plain get web --server "127.0.0.1:$TCP"
old=$(openssl x509 -in "$TEMP/server.pem" -noout -serial)
certify server ours DNS:localhost,IP:127.0.0.1
kill -HUP "$DEPLOY_PID"
served() { [ "$(openssl s_client -connect "127.0.0.1:$TCP" -CAfile "$TEMP/ours.pem" </dev/null 2>/dev/null | openssl x509 -noout -serial)" != "$old" ]; }
eventually 15 served
assert_eq "$(by web list -o ndjson | jq -r .service)" web "after the renewal"

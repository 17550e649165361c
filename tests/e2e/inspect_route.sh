#!/bin/bash
# nlb-inspect --route says where a configuration would have sent each flow, in every output, by nlb-forward's own rules.
. "$(dirname "$0")/../support/lib.sh"
inspect() { "$NLB_BIN/nlb-inspect" "$@"; }
/usr/bin/python3 "$SUPPORT/make_pcap.py" mixed "$TEMP/a.pcap" --flows 12
way() { inspect "$TEMP/a.pcap" -p "$1" --route "$2" -o ndjson | head -1 | grep -o '"service":.*'; }

cat >"$TEMP/nlb.yaml" <<'YAML'
listen:
  - {name: edge, address: 127.0.0.1:8000, silent: {after: 50ms, protocol: mysql}}
modules:
  - {name: web-1, protocol: http, service: web, address: 127.0.0.1:9001}
  - {name: shop-1, protocol: http, service: shop, address: 127.0.0.1:9002, weight: 0}
  - {name: cache-1, protocol: redis, address: 127.0.0.1:9003}
  - {name: db-1, protocol: mysql, address: 127.0.0.1:9004}
  - {name: rest-1, protocol: http, service: rest, address: 127.0.0.1:9005}
routes:
  - {http_host: shop.example, service: shop}
  - {http_host: www.example, source: [10.0.0.0/8], service: web}
fallback: rest
YAML
assert_contains "$(way http "$TEMP/nlb.yaml")" '"service":"web","module":"web-1","why":"route 2 (http_host www.example, source 10.0.0.0/8) -> web; least_conn of web'
assert_contains "$(way redis "$TEMP/nlb.yaml")" '"service":"redis","module":"cache-1","why":"by protocol -> redis; '
assert_contains "$(way mysql "$TEMP/nlb.yaml")" '"service":"mysql","module":"db-1","why":"the client waits for the server, which listener edge takes for mysql; '
assert_contains "$(way unknown "$TEMP/nlb.yaml")" '"service":"rest","module":"rest-1","why":"fallback -> rest; '
assert_contains "$(way mongodb "$TEMP/nlb.yaml")" '"service":null,"module":null,"why":"no route, and no service for the protocol: refused"'

# what a listener says decides: without `silent` MySQL goes nowhere; the listener at the flow's server address is the one that counts
sed 's/, silent: .*}}/}/; /^fallback/d' "$TEMP/nlb.yaml" >"$TEMP/deaf.yaml"
assert_contains "$(way mysql "$TEMP/deaf.yaml")" '"service":null,"module":null,"why":"the client waits for the server, and listener edge doesn'
assert_contains "$(way unknown "$TEMP/deaf.yaml")" '"service":null,'
sed 's/^listen:/listen:\n  - {name: fixed, address: "0.0.0.0:6379", protocol: mysql}/' "$TEMP/nlb.yaml" >"$TEMP/fixed.yaml"
assert_contains "$(way redis "$TEMP/fixed.yaml")" '"service":"mysql","module":"db-1","why":"listener fixed is fixed to mysql; by protocol -> mysql'
assert_contains "$(way http "$TEMP/fixed.yaml")" '"service":"web"'
sed 's/http_host: www.example/http_host: shop.example/' "$TEMP/nlb.yaml" | sed 's/shop.example, service: shop/www.example, service: shop/' >"$TEMP/full.yaml"
assert_contains "$(way http "$TEMP/full.yaml")" '"service":"shop","module":null,"why":"route 1 (http_host www.example) -> shop; no'

assert_eq "$(inspect "$TEMP/a.pcap" --route "$TEMP/nlb.yaml" -o csv | head -1)" \
  "time,client,server,protocol,details,first_speaker,start_seen,packets_client,packets_server,bytes_client,bytes_server,decided_at_byte,rule,service,module,why" "columns"
assert_contains "$(inspect "$TEMP/a.pcap" --route "$TEMP/nlb.yaml" -o csv)" ',redis,cache-1,'
assert_contains "$(inspect "$TEMP/a.pcap" --route "$TEMP/nlb.yaml" -o table | grep web-1 | head -1)" 'http_host=www.example'
assert_eq "$(inspect "$TEMP/a.pcap" --route "$TEMP/nlb.yaml" -o csv)" "$(inspect "$TEMP/a.pcap" --route "$TEMP/nlb.yaml" -o csv)" "a second run"

sed 's/protocol: redis/protocol: reddis/' "$TEMP/nlb.yaml" >"$TEMP/bad.yaml"
assert_exit 3 inspect "$TEMP/a.pcap" --route "$TEMP/bad.yaml" >"$TEMP/out"
assert_contains "$(cat "$TEMP/stderr")" "bad.yaml:6:"
assert_eq "$(cat "$TEMP/out")" "" "output under a bad configuration"
assert_exit 4 inspect "$TEMP/a.pcap" --route "$TEMP/absent.yaml" >"$TEMP/out"
assert_exit 2 inspect "$TEMP/a.pcap" --summary --route "$TEMP/nlb.yaml" >"$TEMP/out"

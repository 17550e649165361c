#!/bin/bash
# A module that asks for a PROXY header learns the client's own address and port, in version 1 and 2.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
for version in v1 v2; do
  start_forward <<YAML
$(listener)
modules:
$(module web-1 http "$PROXY_PORT" "send_proxy: $version")
YAML
  answer=$(http_through -w '%{local_ip} %{local_port}\n' "http://127.0.0.1:$FORWARD_PORT/")
  assert_eq "$(sed -n 1p <<<"$answer")" "$(sed -n 2p <<<"$answer")" "the client's address as the module saw it ($version)"
  stop "$FORWARD_PID"
done

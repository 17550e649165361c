#!/bin/bash
# The active checks against the real servers: each answers its protocol's question; one that hangs (SIGSTOP) or dies is unhealthy after
# `fall` checks, and one that goes on is healthy again after `rise`. Checks by TCP and by gRPC health beside them.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
write_registry_config <<<"health: {interval: 250ms, timeout: 200ms, rise: 2, fall: 3, jitter: 0.2}"
start_registry
start_nginx; start_redis; start_postgres; start_mariadb; start_mongo_stub
free_port GRPC_PORT
echo SERVING >"$TEMP/grpc-state"
run grpc "$PYTHON" "$SUPPORT/health_server.py" "$GRPC_PORT" "$TEMP/grpc-state"; grpc=$PID
wait_port "$GRPC_PORT"

declare -A PID_OF
add() {   # add NAME PROTOCOL PORT PID [OPTIONS...]
  local name=$1 protocol=$2 port=$3
  PID_OF[$name]=$4
  shift 4
  registry register --name "s/$name" --protocol "$protocol" --address "127.0.0.1:$port" --lease 1h "$@" >/dev/null
}
nginx_worker=$(pgrep -P "$NGINX_PID" | head -n 1)
add web http "$HTTP_PORT" "$nginx_worker"
add web-path http "$HTTP_PORT" "$nginx_worker" --check-target /files/
add https tls "$HTTPS_PORT" "$nginx_worker"
add stream rtmp "$RTMP_PORT" "$nginx_worker"
add cache redis "$REDIS_PORT" "$REDIS_PID"
add sql mysql "$MARIADB_PORT" "$MARIADB_PID"
add pg postgresql "$POSTGRES_PORT" "$POSTGRES_PID"
add docs mongodb "$MONGO_PORT" "$MONGO_PID"
add port mongodb "$MONGO_PORT" "$MONGO_PID" --check tcp
add rpc http "$GRPC_PORT" "$grpc" --check grpc --control "127.0.0.1:$GRPC_PORT"
fact() { registry health "s/$1" -o ndjson 2>/dev/null | jq -r ".$2" || true; }
checked_is() { [ "$(fact "$1" checked)" = "$2" ]; }

for name in web https stream cache sql pg docs port rpc; do eventually 20 checked_is $name healthy; done
eventually 20 checked_is web-path unhealthy                      # 403: no answer to a path that the user has chosen
assert_contains "$(fact web-path last_error)" "403" "why"

hang() { kill -STOP "${PID_OF[$1]}"; eventually 20 checked_is "$1" unhealthy; assert_contains "$(fact "$1" last_error)" "$2" "$1"; kill -CONT "${PID_OF[$1]}"; }
for name in web cache sql pg docs rpc; do
  case $name in rpc) hang $name DEADLINE_EXCEEDED ;; *) hang $name "no answer within 200ms" ;; esac
  eventually 20 checked_is $name healthy
done
echo NOT_SERVING >"$TEMP/grpc-state"                             # a server that knows that it can't
eventually 20 checked_is rpc unhealthy
assert_contains "$(fact rpc last_error)" NOT_SERVING "rpc"
echo SERVING >"$TEMP/grpc-state"
eventually 20 checked_is rpc healthy

kill -KILL "$NGINX_PID"                                          # first, or it would start another worker
for name in web cache sql docs rpc; do kill -KILL "${PID_OF[$name]}" 2>/dev/null || true; done
stop "$POSTGRES_PID" INT
for name in web https stream cache sql pg docs port rpc; do eventually 20 checked_is $name unhealthy; done
for name in web https stream cache sql pg docs port; do assert_contains "$(fact $name last_error)" "onnect" "$name"; done
[ "$(fact cache bad_in_row)" -ge 3 ] || fail "unhealthy before the third bad check"
assert_exit 1 registry health s/cache

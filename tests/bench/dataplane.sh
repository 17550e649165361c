#!/bin/bash
# dataplane.sh [OPTIONS]: nlb-forward beside HAProxy and nginx stream on the same work, in a network namespace of its own.
#
#   --rounds N     rounds (default 7; relays take turns within a round, in another order each time)
#   --seconds S    measured seconds of a run (default 2, after 0.3 s of warming up)
#   --quick        3 rounds of 1 s
#   --only W[,W]   of: connect pingpong bulk idle tools (default: all)
#   --workers N    worker threads or processes of every relay (default 2)
#   --price        nlb-forward beside itself with features switched off and on: what each of them costs
#   --idle N       sessions of the idle work (default 9000, bounded by the descriptors a process may have)
#   --markdown     tables as Markdown
#   -o FILE        every run as NDJSON
#
# What is compared: the relay's own CPU time (utime and stime of all its processes) per unit of work, with rates beside it. Each
# opponent runs with its defaults and tuned: HAProxy with a listener per thread that defers accepts, smart connect and accept, and
# splice asked for in both directions; nginx with reuseport and 256k buffers. nlb-forward detects the protocol, counts against a limit
# and routes in all of it; the others merely relay. The works: connect (64 B each way, the server closes, 64 in flight), pingpong (64 B
# round trips on 64 open sessions), bulk (1 and 4 streams, each direction), idle (memory of sessions after one exchange), tools
# (redis-benchmark and wrk against real servers). The namespace is new, so nothing is tracked, nothing else listens, and its counters
# are ours alone.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
if [ -z "${NLB_BENCH_NAMESPACE:-}" ]; then
  "$here/../support/install.sh" build test bench
  as_root=$([ "$(id -u)" = 0 ] || echo --map-root-user)
  NLB_BENCH_NAMESPACE=1 NLB_BENCH_COMMAND="tests/bench/dataplane.sh $*" exec unshare --net $as_root "$0" "$@"
fi
ip link set lo up
# shellcheck source=tests/support/lib.sh
. "$here/../support/lib.sh"

rounds=7 seconds=2 only=connect,pingpong,bulk,idle,tools workers=2 idle=9000 price='' markdown='' raw=$TEMP/runs.ndjson
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --quick) rounds=3 seconds=1 ;;
    --only) only=$2; shift ;;
    --workers) workers=$2; shift ;;
    --idle) idle=$2; shift ;;
    --price) price=1 ;;
    --markdown) markdown=--markdown ;;
    -o) raw=$2; shift ;;
    *) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
  shift
done
[ -x "$NLB_BIN/bench_load" ] && [ -x "$NLB_BIN/nlb-forward" ] || fail "no bench_load and nlb-forward in $NLB_BIN: build the release preset first"
ulimit -n "$(ulimit -Hn)"
[ $((idle * 2 + 100)) -le "$(ulimit -n)" ] || idle=$((($(ulimit -n) - 100) / 2))
: >"$raw"

wants() { [[ ",$only," == *",$1,"* ]]; }
declare -A pids port redis_at http_at   # by relay; pids with commas

# --- the relays: start_KIND NAME PORT, relays PORT to the load server, PORT+1 to Redis, PORT+2 to nginx -------------------------------

with_children() { echo "$1$(pgrep -P "$1" | sed 's/^/,/' | tr -d '\n')"; }
up_at() {   # up_at NAME PORT PID: it listens; remember it
  wait_port "$2"
  pids[$1]=$(with_children "$3") port[$1]=$2 redis_at[$1]=$(($2 + 1)) http_at[$1]=$(($2 + 2))
}

start_haproxy_with() {   # NAME PORT BIND_OPTIONS DEFAULTS
  cat >"$TEMP/$1.cfg" <<CONF
global
  nbthread $workers
  maxconn $((idle + 400))
  maxpipes 64
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
$(printf '  %s\n' "${@:4}")
listen load
  bind 127.0.0.1:$2 $3
  server s 127.0.0.1:$load_port
listen redis
  bind 127.0.0.1:$(($2 + 1)) $3
  server s 127.0.0.1:$redis_port
listen http
  bind 127.0.0.1:$(($2 + 2)) $3
  server s 127.0.0.1:$http_port
CONF
  SIGNAL=KILL run "$1" haproxy -db -f "$TEMP/$1.cfg"
  up_at "$1" "$2" "$PID"
}
start_haproxy() { start_haproxy_with "$1" "$2" ''; }
start_haproxy_tuned() {
  start_haproxy_with "$1" "$2" 'shards by-thread defer-accept' 'option tcp-smart-connect' 'option tcp-smart-accept' 'option splice-request' 'option splice-response'
}

start_nginx_with() {   # NAME PORT LISTEN_OPTIONS STREAM_LINES
  mkdir -p "$TEMP/$1"
  cat >"$TEMP/$1/nginx.conf" <<CONF
$([ "$(id -u)" = 0 ] && echo "user root;")
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes $workers;
worker_rlimit_nofile $(ulimit -n);
pid $TEMP/$1/pid;
error_log $TEMP/$1/error.log crit;
events { worker_connections $((idle * 2 + 500)); }
stream {
  $4
  proxy_timeout 1h;
  server { listen 127.0.0.1:$2 $3; proxy_pass 127.0.0.1:$load_port; }
  server { listen 127.0.0.1:$(($2 + 1)) $3; proxy_pass 127.0.0.1:$redis_port; }
  server { listen 127.0.0.1:$(($2 + 2)) $3; proxy_pass 127.0.0.1:$http_port; }
}
CONF
  SIGNAL=TERM run "$1" nginx -p "$TEMP/$1" -c "$TEMP/$1/nginx.conf" -g 'daemon off;'
  eventually 10 pgrep -P "$PID"
  up_at "$1" "$2" "$PID"
}
start_nginx_default() { start_nginx_with "$1" "$2" '' ''; }
start_nginx_tuned() { start_nginx_with "$1" "$2" reuseport 'proxy_buffer_size 256k;'; }

start_nlb_with() {   # NAME PORT LISTENER_KEYS LIMITS MODULES [ACCESS_LOG]
  local i
  {
    echo "listen: [{name: load, address: \"127.0.0.1:$2\"${3:+, $3}}, {name: real, address: [\"127.0.0.1:$(($2 + 1))\", \"127.0.0.1:$(($2 + 2))\"]}]"
    echo "routes: [{listener: load, service: load}]"
    echo "modules:"
    for ((i = 1; i <= $5; i++)); do module "load-$i" redis "$load_port" "service: load, max_connections: 1000000" | sed "s/127.0.0.1/127.0.1.$i/"; done
    module redis redis "$redis_port"
    module http http "$http_port"
    if [ -n "$4" ]; then echo "limits: [$4]"; fi
    echo "log: {level: warn, access: {file: \"${6:-}\"}}"
    echo "admin: {address: \"127.0.0.1:$(($2 + 3))\"}"
  } >"$TEMP/$1.yaml"
  SIGNAL=KILL run "$1" "$NLB_BIN/nlb-forward" --config "$TEMP/$1.yaml" --workers "$workers"
  up_at "$1" "$2" "$PID"
}
one_limit='{name: all, rate: 10000000, connections: 1000000}'
start_nlb() { start_nlb_with "$1" "$2" '' "$one_limit" 1; }
start_nlb_fixed() { start_nlb_with "$1" "$2" 'protocol: redis' "$one_limit" 1; }
start_nlb_no_limit() { start_nlb_with "$1" "$2" '' '' 1; }
start_nlb_client_limit() { start_nlb_with "$1" "$2" '' "$one_limit, {name: each, per: client, rate: 10000000, connections: 1000000}" 1; }
start_nlb_byte_limit() { start_nlb_with "$1" "$2" '' '{name: all, bytes_per_second: 1000000000000}' 1; }
start_nlb_50() { start_nlb_with "$1" "$2" '' "$one_limit" 50; }
start_nlb_logged() { start_nlb_with "$1" "$2" '' "$one_limit" 1 "$TEMP/access.ndjson"; }

declare -A starter=(
  [nlb]=start_nlb [haproxy-tuned]=start_haproxy_tuned [haproxy]=start_haproxy [nginx-tuned]=start_nginx_tuned [nginx]=start_nginx_default
  [nlb-fixed]=start_nlb_fixed [nlb-no-limit]=start_nlb_no_limit [nlb-client-limit]=start_nlb_client_limit
  [nlb-byte-limit]=start_nlb_byte_limit [nlb-50-modules]=start_nlb_50 [nlb-access-log]=start_nlb_logged)
relays=(nlb haproxy-tuned haproxy nginx-tuned nginx)
[ -z "$price" ] || relays=(nlb nlb-fixed nlb-no-limit nlb-client-limit nlb-byte-limit nlb-50-modules nlb-access-log)

# --- the works ----------------------------------------------------------------------------------------------------------------------

label() { echo "\"relay\":\"$1\",\"round\":$round,\"workers\":$workers,\"name\":\"$2\""; }
load() {   # load RELAY NAME WORK FLIGHT [SECONDS]
  "$NLB_BIN/bench_load" client "$3" "127.0.0.1:${port[$1]}" --flight "$4" --seconds "${5:-$seconds}" --watch "${pids[$1]}" --label "$(label "$1" "$2")"
}
ticks_of() { local p sum=0; for p in ${pids[$1]//,/ }; do sum=$((sum + $(awk '{ print $14 + $15 }' "/proc/$p/stat"))); done; echo $sum; }
tool() {   # tool RELAY NAME COMMAND...: the command prints how many requests it made
  local before ops start
  before=$(ticks_of "$1") start=$(date +%s%N)
  ops=$("${@:3}")
  printf '{%s,"ops":%d,"seconds":%s,"errors":0,"user_s":0,"system_s":%s}\n' "$(label "$1" "$2")" "$ops" \
    "$(awk -v a="$start" -v b="$(date +%s%N)" 'BEGIN { printf "%.3f", (b - a) / 1e9 }')" \
    "$(awk -v t=$(($(ticks_of "$1") - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", t / hz }')"
}
redis_gets() { redis-benchmark -p "$1" -t get -c 64 -n "$2" -q >"$TEMP/redis-benchmark.out" 2>&1 || fail "redis-benchmark: $(tail -1 "$TEMP/redis-benchmark.out")"; echo "$2"; }
wrk_requests() { wrk -t1 -c64 -d"$seconds" "${@:2}" "http://127.0.0.1:$1/" | awk '/requests in/ { print $1 }'; }

run_work() {   # run_work NAME RELAY
  case $1 in
    connect) load "$2" connect connect 64 ;;
    pingpong) load "$2" pingpong pingpong 64 ;;
    bulk-*-*) load "$2" "$1" "${1%-*}" "${1##*-}" ;;
    redis-get) tool "$2" redis-get redis_gets "${redis_at[$2]}" "$((seconds * 30000))" ;;
    http) tool "$2" http wrk_requests "${http_at[$2]}" ;;
    http-close) tool "$2" http-close wrk_requests "${http_at[$2]}" -H 'Connection: close' ;;
  esac
}
works=()
if wants connect; then works+=(connect); fi
if wants pingpong; then works+=(pingpong); fi
if wants bulk; then works+=(bulk-down-1 bulk-up-1 bulk-down-4 bulk-up-4); fi
if wants tools; then works+=(redis-get http http-close); fi

measure_idle() {   # a fresh relay each, warmed up, so that what grows is the sessions
  local relay=$1 at=$((20000 + round * 100 + 10 * $2))
  "${starter[$relay]}" "$relay" $at
  round=0 load "$relay" warm connect 64 0.5 >/dev/null
  load "$relay" idle idle "$idle" >>"$raw"
  stop "${pids[$relay]%%,*}"
}

# --- the run ------------------------------------------------------------------------------------------------------------------------

sysctl -qw net.ipv4.ip_local_port_range="32000 65000"
free_port load_port
run load-server "$NLB_BIN/bench_load" server "$load_port"
wait_port "$load_port"
redis_port=1 http_port=1
if wants tools; then
  start_redis; redis_port=$REDIS_PORT
  start_nginx origin; http_port=$HTTP_PORT
fi

version() { "$@" 2>&1 | grep -oE '[0-9]+\.[0-9]+\.[0-9][^ ]*' | head -1; }
jq -nc --arg date "$(date -u +%F)" --arg kernel "$(uname -r)" --arg cpus "$(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" \
  --arg haproxy "$(version haproxy -v)" --arg nginx "$(version nginx -v)" --arg nlb "$(git -C "$NLB_SOURCE" describe --always --dirty 2>/dev/null || echo -)" \
  --arg congestion "$(sysctl -n net.ipv4.tcp_congestion_control)" --arg command "$NLB_BENCH_COMMAND" --argjson workers "$workers" \
  '{meta: {$date, $kernel, $cpus, $haproxy, $nginx, $nlb, $congestion, $workers, $command}}' >>"$raw"

if [ ${#works[@]} -gt 0 ]; then
  at=11000
  for relay in "${relays[@]}"; do
    "${starter[$relay]}" "$relay" $at
    at=$((at + 10))
  done
  for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds" >&2
    for work in "${works[@]}"; do
      for ((i = 0; i < ${#relays[@]}; i++)); do run_work "$work" "${relays[(i + round) % ${#relays[@]}]}" >>"$raw"; done
    done
  done
  for relay in "${relays[@]}"; do stop "${pids[$relay]%%,*}"; done
fi
if wants idle && [ -z "$price" ]; then
  for ((round = 1; round <= (rounds + 2) / 3; round++)); do
    echo "idle sessions, round $round" >&2
    for ((i = 0; i < ${#relays[@]}; i++)); do measure_idle "${relays[i]}" $i; done
  done
fi
/usr/bin/python3 "$here/ratios.py" ${markdown:+"$markdown"} "$raw"

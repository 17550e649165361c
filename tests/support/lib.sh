# shellcheck shell=bash disable=SC2034,SC2120 # the variables are for the tests
# The end-to-end harness. A test sources it, starts real servers and nlb-forward on free ports in a folder of its own, and makes
# assertions; at the end everything that was started is stopped by its process id, and after a failure the logs are shown.
# Nothing is shared between tests but build/test-cache (data folders of fresh databases), so they run side by side.
set -euo pipefail

NLB_SOURCE=${NLB_SOURCE:-$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")}
NLB_BIN=${NLB_BIN:-$NLB_SOURCE/build/release/bin}
SUPPORT=$NLB_SOURCE/tests/support
CACHE=$NLB_SOURCE/build/test-cache
TEMP=$(mktemp -d "${TMPDIR:-/tmp}/nlb-e2e-XXXXXX")
chmod 711 "$TEMP"                     # a database that runs as another user has to pass
PIDS=()                               # "pid signal", in the order they were started
unset NLB_CONFIG NOTIFY_SOCKET
export LC_ALL=C.UTF-8                 # what tools count as a character, or write as a number, is the same everywhere
export NLB_RUNTIME_DIR=$TEMP/run NLB_STATE_DIR=$TEMP/state   # the bus and what is kept on disk, apart from other tests
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- how a test says no ---------------------------------------------------------------------------------------------------------

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "SKIPPED: $*"; exit 77; }
assert_eq() { [ "$1" = "$2" ] || fail "${3:-value}: got '$1', expected '$2'"; }
assert_contains() { [[ "$1" == *"$2"* ]] || fail "${3:-text}: '$2' is not in '$1'"; }
assert_between() { awk -v v="$1" -v a="$2" -v b="$3" 'BEGIN { exit !(v >= a && v <= b) }' || fail "${4:-value}: $1 is not in $2..$3"; }
assert_exit() {   # assert_exit CODE COMMAND...: its stderr is left in $TEMP/stderr
  local expected=$1 code=0
  shift
  "$@" 2>"$TEMP/stderr" || code=$?
  [ $code = "$expected" ] || fail "exit code of $*: got $code, expected $expected: $(cat "$TEMP/stderr")"
}
eventually() {    # eventually SECONDS COMMAND...: the command comes true within the bound
  local end=$(($(date +%s%N) + $1 * 1000000000))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s%N)" -lt $end ] || fail "did not come true in time: $*"
    sleep 0.05
  done
}

# --- ports and processes --------------------------------------------------------------------------------------------------------

# free_port VARIABLE: a port under the ephemeral range (so that no client socket takes it), locked for as long as this test runs.
free_port() {
  local port lock
  mkdir -p "${TMPDIR:-/tmp}/nlb-e2e-ports"
  while :; do
    port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
    exec {lock}>>"${TMPDIR:-/tmp}/nlb-e2e-ports/$port"
    if flock -n "$lock" && [ -z "$(ss -ltnH "sport = :$port")" ]; then break; fi
    exec {lock}>&-
  done
  printf -v "$1" %s "$port"
}

port_listens() { [ -n "$(ss -ltnH "sport = :$1")" ]; }
wait_port() { eventually "${2:-20}" port_listens "$1"; }
alive() { local state; state=$(ps -o stat= -p "$1" 2>/dev/null) && [[ $state && $state != Z* ]]; }   # neither a zombie nor reaped meanwhile
gone() { ! alive "$1"; }

# start_stub <<PYTHON: a server of the test's own, whose first line of output is its port: STUB_PORT; all of it is in $TEMP/stub.out.
start_stub() {
  "$PYTHON" -u - <&0 >"$TEMP/stub.out" &
  PIDS+=("$! KILL")
  eventually 10 test -s "$TEMP/stub.out"
  STUB_PORT=$(head -1 "$TEMP/stub.out")
}

# run NAME COMMAND...: in the background, output to NAME.log; its id is in $PID. SIGNAL says what ends it (default TERM).
run() {
  local name=$1
  shift
  "$@" >>"$TEMP/$name.log" 2>&1 </dev/null &
  PID=$!
  PIDS+=("$PID ${SIGNAL:-TERM}")
}

stop() {   # stop PID [SIGNAL]: and wait until it has ended
  kill -"${2:-TERM}" "$1" 2>/dev/null || true
  eventually 20 gone "$1"
}

stop_others() {
  local entry job
  for entry in "${PIDS[@]}"; do [ "${entry% *}" = "${FORWARD_PID:-}" ] || kill -"${entry#* }" "${entry% *}"; done
  for job in $(jobs -p); do [ "$job" = "${FORWARD_PID:-}" ] || kill "$job"; done
}

stop_all() {
  local entry left
  for entry in "${PIDS[@]}"; do kill -"${entry#* }" "${entry% *}" 2>/dev/null; done
  for _ in $(seq 100); do
    left=0
    for entry in "${PIDS[@]}"; do alive "${entry% *}" && left=1; done
    [ $left = 0 ] && break
    sleep 0.05
  done
  for entry in "${PIDS[@]}"; do kill -KILL "${entry% *}" 2>/dev/null; done
  # shellcheck disable=SC2046 # one word per job
  kill $(jobs -p) 2>/dev/null           # clients that a failed test left behind
  wait 2>/dev/null
}

# With its clients and servers gone nlb-forward has nothing to wait for: on TERM it ends, and ends well. A session that it lost count
# of shows here, and so does a crash; in a sanitizer build also a leak, by the exit code.
end_forward() {
  local code=0
  [ -n "${FORWARD_PID:-}" ] || return 0
  if alive "$FORWARD_PID"; then
    kill -TERM "$FORWARD_PID"
    for _ in $(seq 400); do alive "$FORWARD_PID" || break; sleep 0.05; done
  fi
  if alive "$FORWARD_PID"; then echo "FAILED: nlb-forward does not end on TERM: $(sessions_open) sessions are open" >&2; return 1; fi
  wait "$FORWARD_PID" 2>/dev/null || code=$?
  [ $code = 0 ] || [ $code = 127 ] || { echo "FAILED: nlb-forward ended with $code" >&2; return 1; }   # 127: a daemon, not our child
}

cleanup() {
  local code=$? log
  trap '' INT TERM
  set +e
  if [ $code = 0 ]; then
    stop_others 2>/dev/null
    end_forward || code=1
  fi
  stop_all 2>/dev/null                  # the shell's own words about killed jobs
  if [ $code != 0 ] && [ $code != 77 ]; then
    [ -s "$ACCESS_LOG" ] && { echo "--- ends in the access log"; jq -r .end "$ACCESS_LOG" | sort | uniq -c; } >&2
    for log in "$TEMP"/*.log "$TEMP"/*/error.log; do
      [ -s "$log" ] && { echo "--- ${log#"$TEMP"/} (last 30 lines)"; tail -n 30 "$log"; } >&2
    done
  fi
  rm -rf "$TEMP"
  exit $code
}

# --- nlb-forward ----------------------------------------------------------------------------------------------------------------

free_port FORWARD_PORT
free_port ADMIN_PORT
ADMIN=http://127.0.0.1:$ADMIN_PORT
ACCESS_LOG=$TEMP/access.jsonl

# write_config [FILE] <<YAML: the test's own sections; admin and log are added where it has none.
write_config() {
  local file=${1:-$TEMP/nlb.yaml} text
  text=$(cat)
  grep -q '^admin:' <<<"$text" || text+=$'\n'"admin: {address: \"127.0.0.1:$ADMIN_PORT\"}"
  grep -q '^log:' <<<"$text" || text+=$'\n'"log: {level: debug, access: {file: \"$ACCESS_LOG\"}}"
  printf '%s\n' "$text" >"$file.new"
  mv "$file.new" "$file"
}

# start_forward [ARGUMENTS...] <<YAML: returns when it is ready; FORWARD_PID, and $TEMP/nlb.yaml for a reload.
start_forward() {
  write_config
  local ready word=""
  rm -f "$TEMP/ready"
  mkfifo "$TEMP/ready"
  "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --ready-fd 9 "$@" 9>"$TEMP/ready" >>"$TEMP/forward.log" 2>&1 </dev/null &
  FORWARD_PID=$!
  PIDS+=("$FORWARD_PID KILL")
  exec {ready}<"$TEMP/ready"
  read -r -t 20 -u "$ready" word || true
  exec {ready}<&-
  [ "$word" = ready ] || fail "nlb-forward did not become ready"
}

# start_relay RELAY_KEYS: nlb-forward with these keys of relay:, in front of one module whose connections the test takes itself, on port
# INSIDE; nothing is detected, and both sides may end before the other.
start_relay() {
  [ -n "${INSIDE:-}" ] || free_port INSIDE
  start_forward <<YAML
$(listener "protocol: redis")
services: {redis: {half_close: full}}
modules:
$(module end-1 redis "$INSIDE" "max_connections: 10000")
relay: {$1}
YAML
}
# end_relay: its sessions are over, and so is it.
end_relay() {
  eventually 10 no_session_left
  end_forward || fail "the end of nlb-forward"
}

# A takeover: the running nlb-forward (start it with --pid-file "$TEMP/forward.pid") gives way to a new process, which FORWARD_PID then
# names. succeed: USR2. take_over ARGUMENTS...: started by hand with --takeover.
taken_over() { [ "$(cat "$TEMP/forward.pid")" != "$1" ] && [ "$(curl -sf --max-time 5 "$ADMIN/status" | jq .pid)" = "$(cat "$TEMP/forward.pid")" ]; }
now_runs() {   # now_runs OLD_PID: waits for its successor
  eventually 30 taken_over "$1"
  FORWARD_PID=$(cat "$TEMP/forward.pid")
  PIDS+=("$FORWARD_PID KILL")
}
succeed() {
  local old=$FORWARD_PID
  kill -USR2 "$old"
  now_runs "$old"
}
take_over() {
  local old=$FORWARD_PID
  "$NLB_BIN/nlb-forward" --config "$TEMP/nlb.yaml" --pid-file "$TEMP/forward.pid" --takeover "$@" >>"$TEMP/forward.log" 2>&1 </dev/null &
  now_runs "$old"
}

# Lines of a configuration: listener [MORE_KEYS], module NAME PROTOCOL PORT [MORE_KEYS].
# Only tests with MySQL treat silence as a sign: elsewhere a client that a busy machine held up for 50 ms would be taken for one.
SILENT="silent: {after: 50ms, protocol: mysql}"
listener() { echo "listen: [{name: edge, address: \"127.0.0.1:$FORWARD_PORT\"${1:+, $1}}]"; }
module() { echo "  - {name: $1, protocol: $2, address: \"127.0.0.1:$3\"${4:+, $4}}"; }

# metric NAME [LABEL=VALUE...]: the sum of the series of this name that have these labels.
metric() {
  curl -sf --max-time 10 "$ADMIN/metrics" | awk -v wanted="$*" '
    BEGIN { n = split(wanted, word, " ") }
    { split($1, part, "{"); if (part[1] != word[1]) next
      for (i = 2; i <= n; i++) { split(word[i], pair, "="); if (!index($0, pair[1] "=\"" pair[2] "\"")) next }
      sum += $NF }
    END { printf "%.15g\n", sum }'
}
metric_is() { [ "$(metric "${@:2}")" = "$1" ]; }   # metric_is VALUE NAME [LABEL=VALUE...]
sessions_open() { metric nlb_active_connections; }
no_session_left() { [ "$(sessions_open)" = 0 ]; }
logged() { [ -n "$(jq -c "$1" "$ACCESS_LOG" 2>/dev/null)" ]; }   # logged JQ_FILTER: some line of the access log fits

# --- real servers, each on a free port of 127.0.0.1 ------------------------------------------------------------------------------

make_certificate() {   # $TEMP/cert.pem and key.pem for localhost, once
  [ -f "$TEMP/cert.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$TEMP/key.pem" -out "$TEMP/cert.pem" 2>/dev/null
}

# start_nginx [NAME]: HTTP_PORT, HTTPS_PORT, RTMP_PORT, PROXY_PORT (expects a PROXY header and answers the client's address), NGINX_PID.
# It answers "hello from NAME"; files under $TEMP/NAME/files can be read from and PUT to /files/; /slow/ is the same at 200 kB a second.
start_nginx() {
  local name=${1:-nginx} module=/usr/lib/nginx/modules/ngx_rtmp_module.so
  local folder=$TEMP/$name
  mkdir -p "$folder/files"
  make_certificate
  free_port HTTP_PORT; free_port HTTPS_PORT; free_port RTMP_PORT; free_port PROXY_PORT
  cat >"$folder/nginx.conf" <<CONF
$([ "$(id -u)" = 0 ] && echo "user root;")
load_module $module;
worker_processes 1;
worker_rlimit_nofile 15000;
pid $folder/nginx.pid;
error_log $folder/error.log warn;
events { worker_connections 7000; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path $folder/body; proxy_temp_path $folder/proxy; fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:$HTTP_PORT backlog=4096;
    listen 127.0.0.1:$HTTPS_PORT ssl http2;
    ssl_certificate $TEMP/cert.pem; ssl_certificate_key $TEMP/key.pem;
    location / { return 200 "hello from $name\n"; }
    location /files/ { alias $folder/files/; dav_methods PUT; }
    location /slow/ { alias $folder/files/; limit_rate 200k; }
  }
  server {
    listen 127.0.0.1:$PROXY_PORT proxy_protocol;
    location / { return 200 "\$proxy_protocol_addr \$proxy_protocol_port\n"; }
  }
}
rtmp {
  access_log off;
  server { listen 127.0.0.1:$RTMP_PORT; application live { live on; } }
}
CONF
  SIGNAL=TERM run "$name" nginx -p "$folder" -c "$folder/nginx.conf" -g 'daemon off;'
  NGINX_PID=$PID
  wait_port "$HTTP_PORT"; wait_port "$HTTPS_PORT"; wait_port "$RTMP_PORT"; wait_port "$PROXY_PORT"
}

start_redis() {   # start_redis [NAME [OPTIONS...]]: REDIS_PORT, REDIS_PID; with more options of redis-server
  local name=${1:-redis}
  [ $# = 0 ] || shift
  free_port REDIS_PORT
  mkdir -p "$TEMP/$name"
  run "$name" redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --appendonly no --dir "$TEMP/$name" --maxclients 9000 \
    --tcp-backlog 4096 "$@"
  REDIS_PID=$PID
  wait_port "$REDIS_PORT"
  redis-cli -p "$REDIS_PORT" set whoami "$name" >/dev/null
}

# A data folder is made once per version and kept as an archive, since making it takes seconds.
fresh_data() {   # fresh_data ARCHIVE FOLDER COMMAND...: FOLDER filled from the archive, which COMMAND (with FOLDER as its last word) makes
  local archive=$CACHE/$1.tar folder=$2 lock
  shift 2
  mkdir -p "$CACHE"
  exec {lock}>"$archive.lock"
  flock "$lock"
  if [ ! -f "$archive" ]; then
    "$@" "$folder" >"$TEMP/fresh_data.log" 2>&1 || fail "making a fresh data folder: $*"
    rm "$TEMP/fresh_data.log"
    tar -C "$folder" -cf "$archive.new" . && mv "$archive.new" "$archive"
  else
    tar -C "$folder" -xf "$archive"
  fi
  exec {lock}>&-
}

as_postgres_user() {   # PostgreSQL refuses to run as root
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi
}
POSTGRES_COUNT=0
start_postgres() {   # POSTGRES_PORT, POSTGRES_PID; user tester, database postgres; with TLS
  local bin folder=$TEMP/postgres$((++POSTGRES_COUNT)) owner=
  bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
  [ "$(id -u)" != 0 ] || owner="-o nobody -g nogroup"
  make_certificate
  free_port POSTGRES_PORT
  install -d -m 700 $owner "$folder"
  fresh_data "postgres-$(basename "$(dirname "$bin")")" "$folder" \
    as_postgres_user "$bin/initdb" -U tester -A trust -E UTF8 --locale=C --no-sync -D
  [ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$folder"
  install -m 600 $owner "$TEMP/key.pem" "$folder/server.key"
  install -m 644 $owner "$TEMP/cert.pem" "$folder/server.crt"
  SIGNAL=INT run postgres as_postgres_user_exec "$bin/postgres" -D "$folder" -k "$folder" -p "$POSTGRES_PORT" -h 127.0.0.1 -c ssl=on -c fsync=off \
    -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=16MB -c max_connections=200 -c listen_addresses=127.0.0.1
  POSTGRES_PID=$PID
  eventually 30 "$bin/pg_isready" -q -U tester -d postgres -h 127.0.0.1 -p "$POSTGRES_PORT"
}
as_postgres_user_exec() { if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else exec "$@"; fi; }

start_mariadb() {   # MARIADB_PORT, MARIADB_PID; user tester without password
  local folder=$TEMP/mariadb
  free_port MARIADB_PORT
  mkdir -p "$folder"
  printf '%s\n' "CREATE USER tester@'127.0.0.1';" "GRANT ALL ON *.* TO tester@'127.0.0.1';" >"$TEMP/mariadb.sql"   # a statement a line
  fresh_data "mariadb-$(mariadbd --version | sed -E 's/.*Ver ([0-9.]+).*/\1/')" "$folder" fresh_mariadb
  run mariadb mariadbd --no-defaults --user="$(id -un)" --datadir="$folder" --socket="$folder/socket" --pid-file="$folder/pid" \
    --port="$MARIADB_PORT" --bind-address=127.0.0.1 --skip-name-resolve --skip-log-bin --innodb-buffer-pool-size=16M \
    --innodb-flush-log-at-trx-commit=0 --performance-schema=OFF --init-file="$TEMP/mariadb.sql" --max-connections=300 ${MARIADB_OPTIONS:-}   # several words
  MARIADB_PID=$PID
  eventually 40 mariadb-admin --no-defaults -h 127.0.0.1 -P "$MARIADB_PORT" -u tester ping
}
fresh_mariadb() {
  mariadb-install-db --no-defaults --user="$(id -un)" --auth-root-authentication-method=normal --skip-test-db --datadir="$1"
}

PYTHON=/usr/bin/python3   # Debian's own, which has Debian's python3-pymongo
start_mongo_stub() {      # MONGO_PORT, MONGO_PID
  free_port MONGO_PORT
  run mongo "$PYTHON" "$SUPPORT/mongo_stub.py" "$MONGO_PORT"
  MONGO_PID=$PID
  wait_port "$MONGO_PORT"
}

# --- clients, each through PORT (default: nlb-forward) ------------------------------------------------------------------------------

mysql_through() { mariadb --no-defaults -h 127.0.0.1 -P "${2:-$FORWARD_PORT}" -u tester --connect-timeout=10 --skip-ssl -N -B -e "$1"; }
psql_through() { PGCONNECT_TIMEOUT=10 PGSSLMODE=${3:-disable} psql -X -q -t -A -h 127.0.0.1 -p "${2:-$FORWARD_PORT}" -U tester -d postgres -c "$1"; }
redis_through() { timeout 10 redis-cli -p "$FORWARD_PORT" "$@"; }
http_through() { curl -sS --fail --max-time 30 "$@"; }
start_peer() {   # start_peer NAME SERVER_VERB [ARGUMENTS...]: a server of peer.py; PEER_PORT, PEER_PID
  local name=$1 verb=$2
  shift 2
  free_port PEER_PORT
  run "$name" "$PYTHON" "$SUPPORT/peer.py" "$verb" "$PEER_PORT" "$@"
  PEER_PID=$PID
  wait_port "$PEER_PORT"
}
hex() { od -An -v -tx1 | tr -d ' \n'; }   # bytes on stdin as hex
peer() { timeout "${PEER_TIMEOUT:-60}" "$PYTHON" "$SUPPORT/peer.py" "$@"; }

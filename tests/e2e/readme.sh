#!/bin/bash
# Every command that README.md shows is run, in its order, in a folder with the files that it shows; only the ports are free ones.
. "$(dirname "$0")/../support/lib.sh"
start_nginx web
start_redis
cd "$TEMP"
"$PYTHON" "$SUPPORT/readme_blocks.py" "$NLB_SOURCE/README.md" "$TEMP" >"$TEMP/commands" || fail "the blocks of README.md"
"$PYTHON" "$SUPPORT/make_pcap.py" mixed "$TEMP/capture.pcap" --flows 60
sed -i "s/\b8080\b/$FORWARD_PORT/g; s/\b8082\b/$ADMIN_PORT/g; s/\b9001\b/$HTTP_PORT/g; s/\b6379\b/$REDIS_PORT/g" nlb.yaml commands
assert_between "$(wc -l <commands)" 10 100 "commands"

export PATH=$NLB_BIN:$PATH
free_port REGISTRY_PORT; free_port REGISTRY_ADMIN
printf 'registry: {grpc: "127.0.0.1:%s"}\nadmin: {address: "127.0.0.1:%s"}\n' "$REGISTRY_PORT" "$REGISTRY_ADMIN" >registry.yaml
sed -i "s/^nlb-registry [a-z]*/& --config registry.yaml/" commands
while IFS= read -r command; do
  bash -eu -c "$command" >"$TEMP/answer" 2>&1 </dev/null || fail "$command: $(cat "$TEMP/answer")"
  case $command in
    nlb-forward*--daemon*) PIDS+=("$(cat forward.pid) KILL"); pid=$(cat forward.pid) ;;
    nlb-registry*--daemon*) PIDS+=("$(cat registry.pid) KILL"); registry_pid=$(cat registry.pid) ;;
    *"kill -TERM"*registry.pid*) eventually 20 gone "$registry_pid" ;;
    nlb-registry*list*) assert_contains "$(cat "$TEMP/answer")" "web-2" "$command" ;;
    curl*"$FORWARD_PORT"*) assert_eq "$(tail -1 "$TEMP/answer")" "hello from web" "$command" ;;
    redis-cli*) assert_eq "$(cat "$TEMP/answer")" PONG "$command" ;;
    *"kill -HUP"*) alive "$pid" || fail "a reload ended nlb-forward" ;;
    *"kill -TERM"*) eventually 20 gone "$pid" ;;
    *"nlb-inspect bytes"*) assert_contains "$(cat "$TEMP/answer")" '"protocol":"http"' "$command" ;;
    *) [ -s "$TEMP/answer" ] || [ -s redis.pcap ] || fail "$command says nothing" ;;
  esac
done <commands

assert_contains "$(cat nlb-forward.service)" Type=notify "the unit"
if command -v systemd-analyze >/dev/null; then   # where there is one, it finds the unit well-formed
  sed -i "s|/usr/local/bin/|$NLB_BIN/|" nlb-forward.service
  SYSTEMD_LOG_LEVEL=err systemd-analyze verify --man=no "$TEMP/nlb-forward.service" 2>"$TEMP/verify" || true
  ! grep -F nlb-forward.service "$TEMP/verify" || fail "systemd-analyze verify"
fi
for link in $(grep -oE '\]\([^)#]+\)' "$NLB_SOURCE/README.md" | tr -d '])('); do
  [[ $link == http* ]] || [ -e "$NLB_SOURCE/$link" ] || fail "README.md links to $link, which is not there"
done

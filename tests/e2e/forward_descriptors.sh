#!/bin/bash
# No descriptors left: accepting pauses and a counter tells, open sessions live on, and service resumes when some are free again.
. "$(dirname "$0")/../support/lib.sh"
start_redis
mkdir "$TEMP/bin"
printf '#!/bin/bash\nulimit -n 120\nexec %q/nlb-forward "$@"\n' "$NLB_BIN" >"$TEMP/bin/nlb-forward"
chmod +x "$TEMP/bin/nlb-forward"
NLB_BIN=$TEMP/bin start_forward --workers 1 <<YAML
$(listener)
modules:
$(module cache-1 redis "$REDIS_PORT")
YAML

mkfifo "$TEMP/hold"
peer hold "$FORWARD_PORT" 20 <"$TEMP/hold" >"$TEMP/held" & holder=$!
exec {until}<>"$TEMP/hold"
eventually 20 grep -q held "$TEMP/held"
exec {metrics}<>"/dev/tcp/127.0.0.1/$ADMIN_PORT"   # a connection of our own, since none can be accepted later
"$PYTHON" - "$FORWARD_PORT" "$TEMP/release" <<'PYTHON' & flood=$!
import os, socket, sys, time
socks = []
for _ in range(200):
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", int(sys.argv[1])))
    socks.append(sock)
end = time.monotonic() + 60
while not os.path.exists(sys.argv[2]) and time.monotonic() < end:
    time.sleep(0.05)
PYTHON
exhausted() {
  printf 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n' >&"$metrics"
  grep -qE '^nlb_accept_pauses_total[^ ]* [1-9]' <<<"$(timeout 1 cat <&"$metrics")"
}
eventually 20 exhausted
cpu() { awk '{ print $14 + $15 }' "/proc/$FORWARD_PID/stat"; }
before=$(cpu)
sleep 1                                          # one second of exhaustion, which must not be spent spinning
assert_between $(($(cpu) - before)) 0 30 "ticks of CPU in a second without descriptors"
touch "$TEMP/release"
wait $flood
exec {until}>&-
wait $holder || fail "an open session was cut"
served() { [ "$(redis_through ping)" = PONG ]; }
eventually 20 served

#!/bin/bash
# Strangers' bytes on the gRPC port: noise, half a handshake, an endless header, silence. Modules go on, memory stays where it is.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_registry
REDIS_PORT=6379
# shellcheck disable=SC2046 # several words
registry register $(redis_module a) >/dev/null
rss() { awk '/VmRSS/ { print $2 }' "/proc/$REGISTRY_PID/status"; }
before=$(rss)
"$PYTHON" - "$REGISTRY_PORT" "$TEMP/silent" <<'PY' &
import os, random, socket, sys, time
port, silent = int(sys.argv[1]), sys.argv[2]
random.seed(7)
preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
def frame(kind, flags, stream, body):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body
cases = [lambda: random.randbytes(4096), lambda: b"GET / HTTP/1.1\r\n\r\n", lambda: preface[:10], lambda: preface + random.randbytes(2000),
         lambda: preface + frame(1, 0, 1, b"\0" * 16000) + frame(9, 0, 1, b"x" * 16000) * 50,            # headers that never end
         lambda: preface + frame(0, 0, 7, b"y" * 16000), lambda: preface + frame(8, 0, 0, b"\x7f\xff\xff\xff") * 4]
for round in range(300):
    with socket.create_connection(("127.0.0.1", port)) as s:
        try:
            s.sendall(cases[round % len(cases)]())
            s.settimeout(0.05)
            s.recv(65536)
        except OSError:
            pass
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(500)]
open(silent, "w").close()
time.sleep(60)
PY
PIDS+=("$! KILL")
eventually 60 test -e "$TEMP/silent"
registry register $(redis_module b) >/dev/null              # behind 500 that say nothing
assert_eq "$(modules)" "redis/a redis/b " "modules"
assert_between "$(($(rss) - before))" -1000000 65536 "KiB that strangers cost"
alive "$REGISTRY_PID" || fail "it died"

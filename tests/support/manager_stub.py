#!/usr/bin/env python3
"""A strict outer manager: manager_stub.py PORT LOG MODE_FILE [KEY [CERTIFICATE PRIVATE_KEY]], with the last two over TLS.

Answers POST /api/register and /api/heartbeat as nlb-forward(1) says and writes each report it takes as a line of JSON to LOG. The word
in MODE_FILE says how: ok, refuse (503), hang (no answer), forget (404 to every heartbeat until the next registration).
"""
import http.server
import json
import ssl
import sys
import threading
import time

REGISTER = {"balancer": str, "program": str, "version": str, "pid": int, "started_unix_seconds": float, "interval_seconds": float,
            "config_version": str, "addresses": list, "admin": str}
HEARTBEAT = {"balancer": str, "config_version": str, "uptime_seconds": float, "load": dict}
LOAD = {"sessions", "sessions_waiting", "sessions_total", "sessions_per_second", "cpu_percent", "memory_bytes", "modules", "modules_up"}
known, lock = set(), threading.Lock()


class Manager(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def judge(self, body):
        """The status of the answer."""
        mode = open(sys.argv[3]).read().strip()
        if mode == "hang":
            time.sleep(600)
        if mode == "refuse":
            return 503
        if len(sys.argv) > 4 and self.headers.get("Authorization") != "Bearer " + sys.argv[4]:
            return 401
        wanted = {"/api/register": REGISTER, "/api/heartbeat": HEARTBEAT}.get(self.path)
        if wanted is None or self.headers.get("Content-Type") != "application/json":
            return 404
        if set(body) != set(wanted) or not all(isinstance(body[k], t) for k, t in wanted.items()):
            return 400
        with lock:
            if self.path == "/api/register":
                known.add(body["balancer"])
                return 201
            if mode == "forget":
                known.discard(body["balancer"])
                open(sys.argv[3], "w").write("ok")
            if body["balancer"] not in known:
                return 404
            return 204 if set(body["load"]) == LOAD else 400

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.judge(body)
        with lock, open(sys.argv[2], "a") as log:
            print(json.dumps({"path": self.path, "status": status, "at": time.monotonic(), **body}), file=log, flush=True)
        self.reply(status)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Manager)
if len(sys.argv) > 6:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[5], sys.argv[6])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()

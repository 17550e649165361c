#!/usr/bin/env python3
"""A strict stub of the part of the Kubernetes API that nlb-scale uses, over TLS, with the answers' shapes of the published API reference
(autoscaling/v1 Scale, v1 Pod, PodList, Status; autoscaling/v2 HorizontalPodAutoscalerList). It refuses what a real server refuses: no
token, wrong media types, unknown fields, a stale resourceVersion.

kube_stub.py FOLDER: makes a CA and a certificate there (openssl), writes `port` when it listens, reads `control.json` before every
request ({"mode": "ok"|"hang"|"garbage"|"403"|"429"|"500", "hpa": name or null, "conflicts": n, "slow_controller": bool}),
and writes `log.ndjson`: a line per request."""
import http.server, json, os, ssl, subprocess, sys, threading, time, urllib.parse

folder = sys.argv[1]
path = lambda name: os.path.join(folder, name)
NS, NAME, COST = "prod", "web", "controller.kubernetes.io/pod-deletion-cost"
lock = threading.Lock()
state = {"version": 100, "replicas": 0, "pods": {}, "next": 0, "conflicts_done": 0}


def certificates():
    run = lambda *a: subprocess.run(["openssl", *a], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path("ca.key"), "-out", path("ca.crt"),
        "-days", "2", "-subj", "/CN=stub ca")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path("tls.key"), "-out", path("tls.csr"), "-subj", "/CN=kubernetes")
    with open(path("san"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1")
    run("x509", "-req", "-in", path("tls.csr"), "-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-CAcreateserial", "-out", path("tls.crt"),
        "-days", "2", "-extfile", path("san"))


def control():
    try:
        with open(path("control.json")) as f:
            return json.load(f) or {}
    except (OSError, ValueError):
        return {}


def pod(name, p):
    out = {"metadata": {"name": name, "namespace": NS, "labels": {"app": NAME}, "annotations": dict(p["annotations"])},
           "spec": {}, "status": {"phase": "Running", "podIP": p["ip"], "conditions": [{"type": "Ready", "status": "True" if p["ready"] else "False"}],
                                  "containerStatuses": [{"name": "web", "ready": p["ready"], "restartCount": p.get("restarts", 0), "state": {"running": {}}}]}}
    if p.get("waiting"):
        out["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": p["waiting"], "message": "back-off 5m0s"}}
    return out


def reconcile():  # the ReplicaSet controller: lowest cost goes first, then the youngest
    if control().get("slow_controller"):
        return
    while len(state["pods"]) < state["replicas"]:
        n = state["next"]
        state["next"] += 1
        state["pods"][f"{NAME}-{n}"] = {"ip": f"10.1.0.{n + 1}", "ready": True, "annotations": {}, "born": n}
    while len(state["pods"]) > state["replicas"]:
        gone = min(state["pods"], key=lambda k: (int(state["pods"][k]["annotations"].get(COST, "0")), -state["pods"][k]["born"]))
        del state["pods"][gone]


def scale():
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": NAME, "namespace": NS, "resourceVersion": str(state["version"])},
            "spec": {"replicas": state["replicas"]} if state["replicas"] else {}, "status": {"replicas": len(state["pods"]), "selector": "app=" + NAME}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body, headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def status(self, code, reason, message, headers=()):
        self.answer(code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}, headers)

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        with open(path("log.ndjson"), "a") as log:
            log.write(json.dumps({"method": self.command, "path": self.path, "type": self.headers.get("Content-Type"), "body": body.decode()}) + "\n")
        mode = control().get("mode", "ok")
        if mode == "hang":
            time.sleep(60)
        if mode == "garbage":
            return self.answer(200, b"<html>not json</html>")
        if mode == "429":
            return self.status(429, "TooManyRequests", "slow down", [("Retry-After", "7")])
        if mode == "403":
            return self.status(403, "Forbidden", 'deployments.apps "web" is forbidden: User "system:serviceaccount:prod:nlb" cannot get resource "deployments/scale"')
        if mode == "500":
            return self.status(500, "InternalError", "etcdserver: request timed out")
        if self.headers.get("Authorization") != "Bearer " + open(path("token")).read().strip():
            return self.status(401, "Unauthorized", "Unauthorized")
        with lock:
            reconcile()
            self.route(body)

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = handle_one

    def route(self, body):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        pods = f"/api/v1/namespaces/{NS}/pods"
        if url.path == f"/apis/apps/v1/namespaces/{NS}/deployments/{NAME}/scale" and self.command in ("GET", "PUT"):
            return self.answer(200, scale()) if self.command == "GET" else self.put_scale(body)
        if url.path == f"/apis/autoscaling/v2/namespaces/{NS}/horizontalpodautoscalers" and self.command == "GET":
            owner = control().get("hpa")
            items = [{"metadata": {"name": owner}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": NAME}}}] if owner else []
            return self.answer(200, {"kind": "HorizontalPodAutoscalerList", "apiVersion": "autoscaling/v2", "metadata": {}, "items": items})
        if url.path == pods and self.command == "GET":
            return self.list_pods(query)
        name = url.path[len(pods) + 1:] if url.path.startswith(pods + "/") else ""
        if name not in state["pods"]:
            return self.status(404, "NotFound", f'"{url.path}" not found')
        if self.command == "PATCH":
            return self.patch(name, body)
        return self.answer(200, dict(pod(name, state["pods"][name]), kind="Pod", apiVersion="v1"))

    def list_pods(self, query):
        if query.get("labelSelector") != ["app=" + NAME]:
            return self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []})
        names = sorted(state["pods"], key=lambda k: state["pods"][k]["born"])
        start = int(query.get("continue", ["0"])[0])
        page = min(int(query.get("limit", ["500"])[0]), 2)  # small pages: whoever forgets `continue` sees too few
        meta = {"resourceVersion": "1"}
        if start + page < len(names):
            meta["continue"] = str(start + page)
        self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": [pod(n, state["pods"][n]) for n in names[start:start + page]]})

    def put_scale(self, body):
        if self.headers.get("Content-Type") != "application/json":
            return self.status(415, "UnsupportedMediaType", "wrong media type")
        put = json.loads(body)
        fine = set(put) <= {"apiVersion", "kind", "metadata", "spec", "status"} and put.get("apiVersion") == "autoscaling/v1" and put.get("kind") == "Scale"
        if not fine or put["metadata"].get("name") != NAME or put["metadata"].get("namespace") != NS or not isinstance(put["spec"].get("replicas"), int):
            return self.status(400, "BadRequest", "not an autoscaling/v1 Scale of this deployment")
        if state["conflicts_done"] < control().get("conflicts", 0):  # somebody else writes just before
            state["conflicts_done"] += 1
            state["version"] += 1
        if put["metadata"].get("resourceVersion") != str(state["version"]):
            return self.status(409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again")
        if put["spec"]["replicas"] != state["replicas"]:
            state["version"] += 1
        state["replicas"] = put["spec"]["replicas"]
        self.answer(200, scale())

    def patch(self, name, body):
        if self.headers.get("Content-Type") != "application/merge-patch+json":
            return self.status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        for key, value in json.loads(body)["metadata"]["annotations"].items():
            if value is None:
                state["pods"][name]["annotations"].pop(key, None)
            elif not isinstance(value, str) or not -2**31 <= int(value) < 2**31:
                return self.status(422, "Invalid", "an annotation is a string, this one with an int32")
            else:
                state["pods"][name]["annotations"][key] = value
        self.answer(200, dict(pod(name, state["pods"][name]), kind="Pod", apiVersion="v1"))


certificates()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(path("tls.crt"), path("tls.key"))
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(path("port.new"), "w") as f:
    f.write(str(server.server_address[1]))
os.rename(path("port.new"), path("port"))
server.serve_forever()

#!/usr/bin/python3
"""A small web server that makes itself a module of the balancer: what a service in Python has to do, made from proto/ alone.

    examples/python_module.py NAME [--port 0] [--registry 127.0.0.1:50051] [--service http] [--version v1] [--lease 30]

It registers, beats with its load, and leaves: at TERM after its sessions have ended, or when the registry wishes it (drained: exit 0; a
newer process has its name: exit 1). The cluster's key comes from NLB_API_KEY, TLS from --ca, --certificate and --key.
Needs python3-grpcio, python3-protobuf, protobuf-compiler and protobuf-compiler-grpc (grpc_python_plugin).
"""
import argparse
import http.server
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "1000")   # else pings' answers are read after keepalive's 3 s
import grpc


def generated():
    """registry_pb2, module_pb2 and registry_pb2_grpc, made now from the .proto files."""
    proto = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "proto")
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["protoc", "-I", proto, "--python_out", out, "--grpc_python_out", out,
                        "--plugin=protoc-gen-grpc_python=" + shutil.which("grpc_python_plugin"),
                        "nlb/v1/module.proto", "nlb/v1/registry.proto"], check=True)
        sys.path.insert(0, out)
        from nlb.v1 import module_pb2, registry_pb2, registry_pb2_grpc
    return module_pb2, registry_pb2, registry_pb2_grpc


module_pb2, registry_pb2, registry_pb2_grpc = generated()


class Web(http.server.ThreadingHTTPServer):
    """The service itself; it counts, because the registry wants to know."""

    daemon_threads = True

    def __init__(self, name, port):
        self.name, self.open, self.requests, self.lock = name, 0, 0, threading.Lock()
        super().__init__(("127.0.0.1", port), Answer)

    def count(self, change):
        with self.lock:
            self.open += change
            self.requests += change > 0


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.count(+1)
        try:
            body = f"hello from {self.server.name}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        finally:
            self.server.count(-1)

    def log_message(self, *_):
        pass


class Member:
    """One process's place in the registry: register, beat, leave. A call that fails is tried again at the next beat."""

    def __init__(self, stub, metadata, module, web):
        self.stub, self.metadata, self.module, self.web = stub, metadata, module, web
        self.id, self.lease, self.interval = "", 0, 1.0
        self.before = (time.monotonic(), time.process_time(), 0)

    def call(self, method, request):
        return getattr(self.stub, method)(request, metadata=self.metadata, timeout=5)

    def register(self):
        reply = self.call("RegisterModule", registry_pb2.RegisterModuleRequest(module=self.module))
        self.id, self.lease, self.interval = reply.module_id, reply.lease_id, reply.heartbeat_interval_ms / 1000
        print(f"registered {self.id}, lease {reply.lease_ms} ms, at most {reply.limits.max_connections} connections", flush=True)

    def load(self):
        (then, cpu_then, requests_then), now = self.before, (time.monotonic(), time.process_time(), self.web.requests)
        self.before, seconds = now, max(now[0] - then, 0.001)
        with open("/proc/self/statm") as statm:
            memory = int(statm.read().split()[1]) / os.sysconf("SC_PHYS_PAGES")
        return registry_pb2.Load(cpu_percent=min(100, 100 * (now[1] - cpu_then) / seconds), memory_percent=100 * memory,
                                 connections=self.web.open, requests_per_second=(now[2] - requests_then) / seconds)

    def beat(self):
        """The registry's wish."""
        try:
            reply = self.call("Heartbeat", registry_pb2.HeartbeatRequest(module_id=self.id, lease_id=self.lease, load=self.load()))
            self.interval = reply.heartbeat_interval_ms / 1000
            return reply.wish, reply.reason
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:  # the registry has lost its memory
                return self.register_again()
            elif error.code() == grpc.StatusCode.ABORTED:
                return registry_pb2.WISH_STOP, error.details()
            else:                                           # away: the lease has time for some more tries
                print(f"heartbeat: {error.code().name}: {error.details()}: trying again", file=sys.stderr, flush=True)
                self.interval = 1.0
            return registry_pb2.WISH_NONE, ""

    def register_again(self):
        try:
            self.register()
            return registry_pb2.WISH_NONE, ""
        except grpc.RpcError as error:
            taken = error.code() == grpc.StatusCode.ABORTED
            return (registry_pb2.WISH_STOP if taken else registry_pb2.WISH_NONE), error.details()

    def leave(self, seconds):
        """No new sessions from now on; returns when those that are open have ended, or the time is over."""
        self.call("UnregisterModule", registry_pb2.UnregisterModuleRequest(module_id=self.id, lease_id=self.lease, drain=True,
                                                                            drain_timeout_ms=int(seconds * 1000), reason="it is ending"))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                reply = self.call("Heartbeat", registry_pb2.HeartbeatRequest(module_id=self.id, lease_id=self.lease))
                if reply.wish == registry_pb2.WISH_STOP:        # gone, and an operator wanted it so
                    return
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.NOT_FOUND:   # the forwarders have nobody left here
                    return
            time.sleep(0.2)


def channel_of(options):
    keepalive = [("grpc.keepalive_time_ms", 10000), ("grpc.keepalive_timeout_ms", 3000), ("grpc.keepalive_permit_without_calls", 1),
                 ("grpc.http2.max_pings_without_data", 0),
                 ("grpc.max_reconnect_backoff_ms", 2000)]   # else up to 2 minutes: longer than the lease after a registry's restart
    if not options.ca:
        return grpc.insecure_channel(options.registry, keepalive)
    pem = [open(path, "rb").read() if path else None for path in (options.ca, options.key, options.certificate)]
    return grpc.secure_channel(options.registry, grpc.ssl_channel_credentials(*pem), keepalive)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("name")
    for flag, default in (("port", 0), ("registry", "127.0.0.1:50051"), ("service", "http"), ("version", "v1"), ("lease", 30.0),
                          ("ca", ""), ("certificate", ""), ("key", "")):
        parser.add_argument("--" + flag, type=type(default), default=default)
    options = parser.parse_args()

    web = Web(options.name, options.port)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    module = module_pb2.Module(
        name=options.name, service=options.service, protocol=module_pb2.PROTOCOL_HTTP, version=options.version,
        data_address=f"127.0.0.1:{web.server_port}", lease_ms=int(options.lease * 1000), labels={"language": "python"},
        incarnation=time.time_ns() // 1000, check=module_pb2.HealthCheck(kind=module_pb2.CHECK_KIND_PROTOCOL, interval_ms=1000, timeout_ms=900))
    key = os.environ.get("NLB_API_KEY")
    stub = registry_pb2_grpc.NLBServiceStub(channel_of(options))
    member = Member(stub, [("x-nlb-api-key", key)] if key else [], module, web)

    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    try:
        member.register()
    except grpc.RpcError as error:
        sys.exit(f"{options.name} is refused: {error.code().name}: {error.details()}")
    while not ending.wait(member.interval):
        wish, reason = member.beat()
        if wish == registry_pb2.WISH_STOP:
            sys.exit(f"told to stop: {reason}")             # its place is another's: nothing to unregister
        if wish == registry_pb2.WISH_DRAIN:
            print(f"draining: {reason}", flush=True)
            break
    try:
        member.leave(30)
        print("left", flush=True)
    except grpc.RpcError as error:                          # its lease will end by itself
        print(f"could not leave: {error.code().name}: {error.details()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

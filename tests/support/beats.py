#!/usr/bin/python3
"""beats.py ENDPOINT SERVICE FILE: modules that do nothing but beat. FILE is read before every round: a line `NAME CPU MEMORY` per module
(percent; `-`: it doesn't say). Who appears registers, who disappears unregisters. Nobody checks them (check none)."""
import os
import subprocess
import sys
import tempfile
import time

import grpc

proto = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../proto")
with tempfile.TemporaryDirectory() as out:
    subprocess.run(["protoc", "-I", proto, "--python_out", out, "nlb/v1/module.proto", "nlb/v1/registry.proto"], check=True)
    sys.path.insert(0, out)
    from nlb.v1 import module_pb2 as m, registry_pb2 as r

endpoint, service, path = sys.argv[1:]
channel = grpc.insecure_channel(endpoint)


def call(verb, request, reply):
    ask = channel.unary_unary(f"/nlb.v1.NLBService/{verb}", request_serializer=type(request).SerializeToString, response_deserializer=reply.FromString)
    return ask(request, timeout=5, wait_for_ready=True)


known = {}
while True:
    with open(path) as f:
        wanted = {name: (cpu, memory) for name, cpu, memory in (line.split() for line in f if line.strip())}
    for name in sorted(known.keys() - wanted.keys()):
        call("UnregisterModule", r.UnregisterModuleRequest(module_id=known[name][0], lease_id=known[name][1]), r.UnregisterModuleReply)
        del known[name]
    for number, (name, (cpu, memory)) in enumerate(sorted(wanted.items())):
        if name not in known:
            module = m.Module(name=name, service=service, protocol=m.PROTOCOL_HTTP, data_address=f"127.0.0.1:{20000 + number}", lease_ms=3000,
                              check=m.HealthCheck(kind=m.CHECK_KIND_NONE))
            got = call("RegisterModule", r.RegisterModuleRequest(module=module), r.RegisterModuleReply)
            known[name] = got.module_id, got.lease_id
        load = r.Load()
        if cpu != "-":
            load.cpu_percent = float(cpu)
        if memory != "-":
            load.memory_percent = float(memory)
        call("Heartbeat", r.HeartbeatRequest(module_id=known[name][0], lease_id=known[name][1], load=load), r.HeartbeatReply)
    time.sleep(1)

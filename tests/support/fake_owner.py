#!/usr/bin/python3
"""Binds an owner's endpoints and says what it is told to, as an impostor or a replayed snapshot would.

    fake_owner.py ENDPOINT OWNER EPOCH SEQ NAME=ADDRESS...     HTTP modules; beats and answers until it is stopped
"""
import importlib.util
import os
import sys
import time

import zmq

here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("bus_subscriber", os.path.join(here, "..", "..", "examples", "bus_subscriber.py"))
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


def main(endpoint, owner, epoch, seq, modules):
    bus_pb2, module_pb2 = example.generated_messages()
    context = zmq.Context()
    news, sync = context.socket(zmq.XPUB), context.socket(zmq.ROUTER)
    news.bind(endpoint)
    sync.bind(endpoint + ".sync")

    def header(flags, payload):
        return example.HEADER.pack(b"NLB", 1, flags, epoch, seq, owner, 0, 0, example.crc32c(payload))

    def entry(name, address):
        module = module_pb2.Module(name=name, service="http", protocol=module_pb2.PROTOCOL_HTTP, data_address=address, version="v1", lease_ms=30000)
        module.state.health = module_pb2.HEALTH_HEALTHY
        return bus_pb2.SyncEntry(topic=f"modules/http/{name}", seq=seq, payload=module.SerializeToString())

    entries = [entry(*module.split("=")) for module in sorted(modules)]
    digest = 0
    for e in entries:
        digest = example.crc32c(e.topic.encode() + b"\0" + e.seq.to_bytes(8, "little") + b"\0" + e.payload, digest)
    next_beat = 0.0
    while True:
        if time.monotonic() >= next_beat:
            beat = bus_pb2.Beat(head_seq=seq, heads=[bus_pb2.ClassHead(class_name="modules", seq=seq)], interval_ms=1000, owner="registry/fake").SerializeToString()
            news.send_multipart([b"beat", header(example.BEAT, beat), beat])
            next_beat = time.monotonic() + 0.2
        while news.poll(0):
            news.recv_multipart()
        if not sync.poll(50):
            continue
        route, topic, _, payload = sync.recv_multipart()
        if topic != b"sync":
            continue
        request = bus_pb2.SyncRequest.FromString(payload)
        chunk = bus_pb2.SyncChunk(request_id=request.request_id, epoch=epoch, seq=seq, last=True, entries=entries, count=len(entries), hash=digest).SerializeToString()
        sync.send_multipart([route, b"chunk", header(example.SYNC, chunk), chunk])
        print("asked", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])

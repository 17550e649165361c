#!/usr/bin/python3
"""Reads the bus of an owner (nlb-registry, nlb-deploy, nlb-scale, nlb-forward) and prints each fact as one line of JSON.

    examples/bus_subscriber.py ipc:///run/nlb/nlb-registry.bus [CLASS ...]

Needs python3-zmq, python3-protobuf and protoc. It shows the whole protocol: subscribe first (the beat last), wait for a beat, ask for
the snapshot, then follow the news. On a hole it asks again; it never applies anything past one.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

import zmq
from google.protobuf import json_format

HEADER = struct.Struct("<3sBIQQQQII")  # magic, version, flags, epoch, seq, owner, age in ms, class back, CRC-32C of the payload
TOMBSTONE, BEAT, SYNC = 2, 4, 8
PAYLOADS = {"modules": "Module", "health": "HealthDetail", "directory": "Directory", "splits": "Split", "rollouts": "Rollout",
            "holds": "Hold", "replicas": "Replicas", "drains": "Drains", "forecasts": "Forecast", "traffic": "Traffic",
            "applied": "Applied", "breakers": "Breaker", "events": "Event"}


def generated_messages():
    proto = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "proto")
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["protoc", "-I", proto, "--python_out", out, "nlb/v1/module.proto", "nlb/v1/bus.proto"], check=True)
        sys.path.insert(0, out)
        from nlb.v1 import bus_pb2, module_pb2
    return bus_pb2, module_pb2


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def main(endpoint, classes):
    bus_pb2, module_pb2 = generated_messages()
    context = zmq.Context()
    news, sync = context.socket(zmq.SUB), context.socket(zmq.DEALER)
    for topic in ["welcome", *(classes or [""]), "beat"]:
        news.subscribe(topic)
    news.connect(endpoint)
    host, _, port = endpoint.rpartition(":")
    sync.connect(f"{host}:{int(port) + 1}" if endpoint.startswith("tcp:") else endpoint + ".sync")

    last = {}  # class -> last sequence number applied
    state = {"epoch": 0, "floor": 0, "syncing": False}

    def show(topic, seq, age_ms, gone, payload):
        kind = topic.split("/")[0]
        last[kind] = max(last.get(kind, 0), seq)
        message = getattr(bus_pb2, PAYLOADS.get(kind, ""), None) or getattr(module_pb2, PAYLOADS.get(kind, ""), None)
        body = None
        if message and not gone:
            body = json_format.MessageToDict(message.FromString(payload), preserving_proto_field_name=True)
        print(json.dumps({"topic": topic, "seq": seq, "age_ms": age_ms, "gone": gone, "body": body}), flush=True)

    def catch_up():
        request = bus_pb2.SyncRequest(request_id=1, classes=classes, have_epoch=state["epoch"], have_seq=state["floor"]).SerializeToString()
        sync.send_multipart([b"sync", HEADER.pack(b"NLB", 1, SYNC, 0, 0, 0, 0, 0, crc32c(request)), request])
        state["syncing"] = True
        while True:
            if not sync.poll(2000):
                return  # the owner is away: the next beat asks again
            _, _, payload = sync.recv_multipart()
            chunk = bus_pb2.SyncChunk.FromString(payload)
            for entry in chunk.entries:
                show(entry.topic, entry.seq, entry.age_ms, entry.tombstone, entry.payload)
            if chunk.last:
                state.update(epoch=chunk.epoch, floor=chunk.seq, syncing=False)
                last.clear()
                return

    while True:
        frames = news.recv_multipart()
        if len(frames) != 3:
            continue  # the welcome
        magic, _, flags, epoch, seq, _, age_ms, back, crc = HEADER.unpack(frames[1][:HEADER.size])
        if magic != b"NLB" or crc != crc32c(frames[2]) or epoch < state["epoch"]:
            continue
        if flags & BEAT:
            heads = {h.class_name: h.seq for h in bus_pb2.Beat.FromString(frames[2]).heads}
            missed = any(s > max(last.get(c, 0), state["floor"]) for c, s in heads.items() if not classes or c in classes)
            if epoch != state["epoch"] or state["syncing"] or missed:
                catch_up()
            continue
        topic = frames[0].decode()
        have = max(last.get(topic.split("/")[0], 0), state["floor"])
        if state["epoch"] != epoch or state["syncing"] or seq <= have:
            continue  # before the first snapshot, or known already
        if seq - back > have:
            catch_up()
        else:
            show(topic, seq, age_ms, bool(flags & TOMBSTONE), frames[2])


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2:])
    except KeyboardInterrupt:
        pass

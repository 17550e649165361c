#!/usr/bin/python3
"""Reads the bus of owners (nlb-registry, nlb-deploy, nlb-scale, nlb-forward) and prints each fact as one line of JSON.

    examples/bus_subscriber.py ENDPOINT... [CLASS...]
    examples/bus_subscriber.py --key reader.key --server registry.pub tcp://10.0.0.1:5560 modules

Endpoints are what has "://" in it, like ipc:///run/nlb/registry.bus; every line says which one it came from, since each owner counts its
own messages. Needs python3-zmq, python3-protobuf and protoc. It shows the whole protocol: subscribe first (the beat last; over CURVE a
message asks for the news), wait for a beat, ask for the snapshot, then follow the news. On a hole it asks again; it never applies
anything past one. One thread and one context an owner would do as well; here one poller reads all.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time

import zmq
from google.protobuf import json_format

HEADER = struct.Struct("<3sBIQQQQII")  # magic, version, flags, epoch, seq, owner, age in ms, class back, CRC-32C of the payload
TOMBSTONE, BEAT, SYNC = 2, 4, 8
PAYLOADS = {"modules": "Module", "health": "HealthDetail", "loads": "ModuleLoad", "directory": "Directory", "splits": "Split", "rollouts": "Rollout",
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


def crc32c(data, seed=0):
    crc = seed ^ 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def keys_in(path):
    """The lines of a key file: public, secret, role, topics."""
    with open(path, encoding="ascii") as file:
        return dict(line.split(maxsplit=1) for line in reversed(file.read().splitlines()) if line)


class Owner:
    """One owner: its two sockets, and what of it was shown."""

    def __init__(self, context, endpoint, classes, messages, own_keys, server_key):
        self.endpoint, self.classes, self.messages = endpoint, classes, messages
        self.last, self.epoch, self.floor, self.asked_at, self.refused = {}, 0, 0, None, set()
        curve = own_keys is not None and endpoint.startswith("tcp:")
        self.news, self.sync = context.socket(zmq.DEALER if curve else zmq.SUB), context.socket(zmq.DEALER)
        for socket in (self.news, self.sync):
            socket.linger = 0
            if curve:
                socket.curve_serverkey = server_key.encode()
                socket.curve_publickey, socket.curve_secretkey = own_keys["public"].encode(), own_keys["secret"].encode()
        if not curve:
            for topic in ["welcome", *(classes or [""]), "beat"]:
                self.news.subscribe(topic)
        self.news.connect(endpoint)
        host, _, port = endpoint.rpartition(":")
        self.sync.connect(f"{host}:{int(port) + 1}" if endpoint.startswith("tcp:") else endpoint + ".sync")
        if curve:
            self.say(self.news, b"follow", messages[0].Follow(classes=classes))

    @staticmethod
    def say(socket, topic, message):
        payload = message.SerializeToString()
        socket.send_multipart([topic, HEADER.pack(b"NLB", 1, SYNC, 0, 0, 0, 0, 0, crc32c(payload)), payload])

    def have(self, kind):
        return max(self.last.get(kind, 0), self.floor)

    def show(self, topic, seq, age_ms, gone, payload):
        kind = topic.split("/")[0]
        self.last[kind] = max(self.last.get(kind, 0), seq)
        name = PAYLOADS.get(kind, "")
        message = next((getattr(module, name) for module in self.messages if hasattr(module, name)), None)
        body = None
        if message and not gone:
            body = json_format.MessageToDict(message.FromString(payload), preserving_proto_field_name=True)
        print(json.dumps({"owner": self.endpoint, "topic": topic, "seq": seq, "age_ms": age_ms, "gone": gone, "body": body}), flush=True)

    def catch_up(self):
        self.asked_at = time.monotonic()
        self.say(self.sync, b"sync", self.messages[0].SyncRequest(request_id=1, classes=self.classes, have_epoch=self.epoch, have_seq=self.floor))

    def read_answer(self):
        _, _, payload = self.sync.recv_multipart()
        chunk = self.messages[0].SyncChunk.FromString(payload)
        for entry in chunk.entries:
            self.show(entry.topic, entry.seq, entry.age_ms, entry.tombstone, entry.payload)
        if chunk.last:
            self.epoch, self.floor, self.asked_at, self.refused = chunk.epoch, chunk.seq, None, set(chunk.refused_classes)
            self.last.clear()

    def read_news(self):
        frames = self.news.recv_multipart()
        if len(frames) != 3:
            return  # the welcome
        magic, _, flags, epoch, seq, _, age_ms, back, crc = HEADER.unpack(frames[1][:HEADER.size])
        if magic != b"NLB" or crc != crc32c(frames[2]) or epoch < self.epoch:
            return
        waiting = self.asked_at is not None and time.monotonic() - self.asked_at < 2
        if flags & BEAT:
            heads = {h.class_name: h.seq for h in self.messages[0].Beat.FromString(frames[2]).heads}
            wanted = [c for c in heads if (not self.classes or c in self.classes) and c not in self.refused]
            if not waiting and (epoch != self.epoch or any(heads[c] > self.have(c) for c in wanted)):
                self.catch_up()  # an owner that is away: the next beat asks again
            return
        topic = frames[0].decode()
        have = self.have(topic.split("/")[0])
        if self.epoch != epoch or waiting or seq <= have:
            return  # before the first snapshot, or known already
        if seq - back > have:
            self.catch_up()
        else:
            self.show(topic, seq, age_ms, bool(flags & TOMBSTONE), frames[2])


def main(options):
    messages = generated_messages()
    context, poller, readers = zmq.Context(), zmq.Poller(), {}
    endpoints = [word for word in options.words if "://" in word]
    classes = [word for word in options.words if "://" not in word]
    own_keys = keys_in(options.key) if options.key else None
    server_key = keys_in(options.server)["public"] if options.server else None
    for endpoint in endpoints:
        owner = Owner(context, endpoint, classes, messages, own_keys, server_key)
        for socket, read in ((owner.news, owner.read_news), (owner.sync, owner.read_answer)):
            poller.register(socket, zmq.POLLIN)
            readers[socket] = read
    while True:
        for socket, _ in poller.poll():
            readers[socket]()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="ENDPOINT|CLASS")
    parser.add_argument("--key", help="our own key file; with --server, for tcp endpoints")
    parser.add_argument("--server", help="the owners' public key file")
    try:
        main(parser.parse_args())
    except KeyboardInterrupt:
        pass

#!/usr/bin/python3
"""Prints tests/data/bus/messages.tsv: every message of the bus with every field set, as text and as bytes, by Python's protobuf.

Only to add a line or a field: what is there already must not change. Needs python3-protobuf and protoc.
"""
import os
import subprocess
import sys
import tempfile

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto")
NAMES = ["Module", "HealthDetail", "ModuleLoad", "Directory", "Split", "Rollout", "Hold", "Replicas", "Drains", "Forecast", "Traffic", "Applied", "Breaker",
         "Event", "Beat", "SyncRequest", "SyncChunk", "Follow"]


def value(field):
    if field.type == FieldDescriptor.TYPE_STRING:
        return field.name
    if field.type == FieldDescriptor.TYPE_BYTES:
        return field.name.encode()
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return field.number + 0.5
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.type == FieldDescriptor.TYPE_ENUM:
        return field.enum_type.values[-1].number
    return 1000 * field.number + 7


def fill(message):
    for field in message.DESCRIPTOR.fields:
        inner = field.message_type
        if field.label == FieldDescriptor.LABEL_REPEATED:
            if inner and inner.GetOptions().map_entry:
                getattr(message, field.name)["key"] = "value"
            elif inner:
                fill(getattr(message, field.name).add())
            else:
                getattr(message, field.name).append(value(field))
        elif inner:
            getattr(message, field.name).SetInParent()
            fill(getattr(message, field.name))
        else:
            setattr(message, field.name, value(field))


with tempfile.TemporaryDirectory() as out:
    subprocess.run(["protoc", "-I", PROTO, "--python_out", out, "nlb/v1/module.proto", "nlb/v1/bus.proto"], check=True)
    sys.path.insert(0, out)
    from nlb.v1 import bus_pb2, module_pb2

print("# Every message of the bus with every field set: name, text format, bytes. By tests/support/bus_messages.py, from proto/nlb/v1. A line")
print("# changes only when a field is added: what it says is what other programs rely on.")
for name in NAMES:
    filled = (getattr(bus_pb2, name, None) or getattr(module_pb2, name))()
    fill(filled)
    print(name, text_format.MessageToString(filled, as_one_line=True), filled.SerializeToString(deterministic=True).hex(), sep="\t")

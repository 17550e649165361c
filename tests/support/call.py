#!/usr/bin/python3
"""call.py ADDRESS SERVICE METHOD [TEXT_FORMAT]: one gRPC call with a request as no client of ours would send it; prints "CODE text" when
it is refused, and the reply in text format otherwise. Needs python3-grpcio, python3-protobuf, protoc and its gRPC plugin."""
import importlib
import os
import subprocess
import sys
import tempfile

import grpc
from google.protobuf import text_format

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto")
FILES = {"NLBService": "registry", "DeployService": "deploy", "ScaleService": "scale"}
address, service, method, text = (sys.argv + [""])[1:5]
with tempfile.TemporaryDirectory() as out:
    subprocess.run(["protoc", "-I", PROTO, "--python_out", out] + ["nlb/v1/%s.proto" % name for name in ("module", "bus", "command", FILES[service])], check=True)
    sys.path.insert(0, out)
    module = importlib.import_module("nlb.v1.%s_pb2" % FILES[service])
described = module.DESCRIPTOR.services_by_name[service].methods_by_name[method]
message_of = lambda descriptor: getattr(importlib.import_module(descriptor.file.name[:-6].replace("/", ".") + "_pb2"), descriptor.name)
ask = grpc.insecure_channel(address).unary_unary("/nlb.v1.%s/%s" % (service, method), message_of(described.input_type).SerializeToString,
                                                 message_of(described.output_type).FromString)
try:
    print(text_format.MessageToString(ask(text_format.Parse(text, message_of(described.input_type)()), timeout=10), as_one_line=True))
except grpc.RpcError as error:
    print(error.code().name, error.details())

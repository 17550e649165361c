#!/usr/bin/python3
"""A client with no .proto and no generated code: reflect.py ADDRESS. Learns nlb.v1.NLBService by grpc.reflection.v1alpha, makes its
messages from the descriptors that come back, lists the modules, and asks grpc.health.v1. Prints one JSON object.

The messages of reflection and health themselves are a handful of fields, written here as descriptors (grpc's reflection.proto, health.proto).
"""
import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

TYPES = {"string": 9, "bytes": 12, "enum": 5, "message": 11}     # FieldDescriptorProto.Type; an enum travels as an int32


def add_file(pool, package, messages):
    """messages: {name: [(number, name, type, repeated, message type)]}"""
    file = descriptor_pb2.FileDescriptorProto(name=package + ".proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, field, kind, repeated, of in fields:
            message.field.add(number=number, name=field, type=TYPES[kind], label=3 if repeated else 1, type_name=f".{package}.{of}" if of else None)
    pool.Add(file)


pool = descriptor_pool.DescriptorPool()
add_file(pool, "grpc.reflection.v1alpha", {
    "ServerReflectionRequest": [(3, "file_by_filename", "string", 0, ""), (4, "file_containing_symbol", "string", 0, ""), (7, "list_services", "string", 0, "")],
    "FileDescriptorResponse": [(1, "file_descriptor_proto", "bytes", 1, "")],
    "ServiceResponse": [(1, "name", "string", 0, "")],
    "ListServiceResponse": [(1, "service", "message", 1, "ServiceResponse")],
    "ServerReflectionResponse": [(4, "file_descriptor_response", "message", 0, "FileDescriptorResponse"),
                                 (6, "list_services_response", "message", 0, "ListServiceResponse")]})
add_file(pool, "grpc.health.v1", {"HealthCheckRequest": [(1, "service", "string", 0, "")], "HealthCheckResponse": [(1, "status", "enum", 0, "")]})
factory = message_factory.MessageFactory(pool)


def message(name):
    return factory.GetPrototype(pool.FindMessageTypeByName(name))


channel = grpc.insecure_channel(sys.argv[1])


def unary(method, request, reply):
    return channel.unary_unary(method, request_serializer=type(request).SerializeToString, response_deserializer=reply.FromString)(request, timeout=5)


def ask_reflection(**fields):
    request = message("grpc.reflection.v1alpha.ServerReflectionRequest")(**fields)
    call = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", request_serializer=type(request).SerializeToString,
                                 response_deserializer=message("grpc.reflection.v1alpha.ServerReflectionResponse").FromString)
    return next(iter(call(iter([request]), timeout=5)))


def health(service):
    try:
        request, reply = message("grpc.health.v1.HealthCheckRequest")(service=service), message("grpc.health.v1.HealthCheckResponse")
        return {1: "SERVING", 2: "NOT_SERVING"}.get(unary("/grpc.health.v1.Health/Check", request, reply).status, "UNKNOWN")
    except grpc.RpcError as error:
        return error.code().name


services = sorted(s.name for s in ask_reflection(list_services="*").list_services_response.service)
files = [descriptor_pb2.FileDescriptorProto.FromString(b) for b in
         ask_reflection(file_containing_symbol="nlb.v1.NLBService").file_descriptor_response.file_descriptor_proto]
wanted = [d for f in files for d in f.dependency]
have = {f.name for f in files}
while wanted:
    name = wanted.pop()
    if name in have:
        continue
    have.add(name)
    for raw in ask_reflection(file_by_filename=name).file_descriptor_response.file_descriptor_proto:
        file = descriptor_pb2.FileDescriptorProto.FromString(raw)
        files.append(file)
        wanted += file.dependency
for file in reversed(files):
    try:
        pool.FindFileByName(file.name)
    except KeyError:
        pool.Add(file)
methods = sorted(m.name for m in pool.FindServiceByName("nlb.v1.NLBService").methods)
modules = unary("/nlb.v1.NLBService/ListModules", message("nlb.v1.ListModulesRequest")(), message("nlb.v1.ListModulesReply"))
print(json.dumps({"services": services, "methods": methods, "modules": json_format.MessageToDict(modules).get("modules", []),
                  "health": {name: health(name) for name in ("", "nlb.v1.NLBService", "no.such.Service")}}))

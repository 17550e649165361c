#!/usr/bin/python3
"""mongo_stub.py PORT | --hello: a MongoDB server as far as python3-pymongo's MongoClient needs one: hello, ping, insert, find, count.

Debian 12 has no mongod, so the tests bring the wire protocol's server side (OP_MSG, and OP_QUERY for the first hello; see
https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/) and use the real driver as the client. Documents live in memory.
--hello prints a client's first OP_MSG in hex.
"""
import socketserver
import struct
import sys
import threading

import bson

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
collections = {}
lock = threading.Lock()


def hello():
    return {"ismaster": True, "isWritablePrimary": True, "helloOk": True, "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000, "minWireVersion": 0, "maxWireVersion": 13, "readOnly": False, "ok": 1.0}


def insert(command):
    with lock:
        collections.setdefault(command["insert"], []).extend(command["documents"])
    return {"n": len(command["documents"]), "ok": 1.0}


def find(command):
    wanted = command.get("filter", {})
    with lock:
        found = [d for d in collections.get(command["find"], []) if all(d.get(k) == v for k, v in wanted.items())]
    limit = command.get("limit", 0)
    return {"cursor": {"firstBatch": found[:limit] if limit else found, "id": 0, "ns": command["$db"] + "." + command["find"]}, "ok": 1.0}


def answer(command):
    name = next(iter(command))
    if name.lower() in ("hello", "ismaster"):
        return hello()
    if name == "insert":
        return insert(command)
    if name == "find":
        return find(command)
    if name in ("ping", "endSessions"):
        return {"ok": 1.0}
    return {"ok": 0.0, "code": 59, "codeName": "CommandNotFound", "errmsg": "no such command: " + name}


def command_of_msg(body):
    """OP_MSG: flags, then sections of kind 0 (the command) and 1 (a named list of documents that belongs to it)."""
    command, lists, at = {}, {}, 4
    while at < len(body):
        kind, at = body[at], at + 1
        size = struct.unpack_from("<i", body, at)[0]
        if kind == 0:
            command = bson.decode(body[at:at + size])
        else:
            name, _, documents = body[at + 4:at + size].partition(b"\0")
            lists[name.decode()] = bson.decode_all(documents)
        at += size
    command.update(lists)
    return command


def command_of_query(body):
    """OP_QUERY: flags, collection name, skip, return, and the query."""
    return bson.decode(body[body.index(b"\0", 4) + 9:])


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            header = self.rfile.read(16)
            if len(header) < 16:
                return
            size, request, _, operation = struct.unpack("<iiii", header)
            body = self.rfile.read(size - 16)
            if operation == OP_MSG:
                reply, operation = struct.pack("<IB", 0, 0) + bson.encode(answer(command_of_msg(body))), OP_MSG
            elif operation == OP_QUERY:
                reply, operation = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(answer(command_of_query(body))), OP_REPLY
            else:
                return
            self.wfile.write(struct.pack("<iiii", 16 + len(reply), 0, request, operation) + reply)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


def first_message():
    body = struct.pack("<IB", 0, 0) + bson.encode({"hello": 1, "helloOk": True, "$db": "admin"})
    return struct.pack("<iiii", 16 + len(body), 1, 0, OP_MSG) + body


if __name__ == "__main__":
    if sys.argv[1] == "--hello":
        print(first_message().hex())
        sys.exit(0)
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

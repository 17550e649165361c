#!/usr/bin/python3
"""versions.py serve PORT NAME [KIND SHARE]: a small HTTP service that answers NAME and closes; KIND is what goes wrong with a SHARE of
requests: error (503), reset, slow (300 ms later), crash (the process ends at the first such request).
versions.py crowd PORT CLIENTS RATE UNTIL_FILE: CLIENTS with addresses of their own in 127.0.0.0/8 ask in turn, RATE requests a second
together, each on a new connection, until the file exists; prints {"requests":..,"failed":..,"hurt_clients":..,"versions":{NAME:..},"clients":{NAME:..}}."""
import asyncio
import json
import os
import random
import socket
import struct
import sys

HOST = "127.0.0.1"


async def serve(port, name, kind="", share=0.0):
    rng = random.Random(1)
    body = name.encode()
    good = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
    bad = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)

    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            wrong = kind if rng.random() < share else ""
            if wrong == "crash":
                os._exit(1)
            if wrong == "slow":
                await asyncio.sleep(0.3)
            if wrong == "reset":
                writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            writer.write(bad if wrong == "error" else good)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, HOST, port, backlog=1000)
    async with server:
        await server.serve_forever()


async def crowd(port, clients, rate, until):
    requests, failed, hurt, versions, of_version = 0, 0, set(), {}, {}

    async def ask(client):
        nonlocal requests, failed
        requests += 1
        source = f"127.{1 + client // 60000}.{client // 250 % 240}.{1 + client % 250}"
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port, local_addr=(source, 0)), 10)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
                answer = await asyncio.wait_for(reader.read(-1), 10)
            finally:
                writer.close()
            name = answer.rpartition(b"\r\n\r\n")[2].decode()
            if not answer.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(name)
            versions[name] = versions.get(name, 0) + 1
            of_version.setdefault(name, set()).add(client)
        except (OSError, asyncio.TimeoutError):
            failed += 1
            hurt.add(client)

    loop, running, client, begin, sent = asyncio.get_running_loop(), set(), 0, None, 0
    begin = loop.time()
    while not os.path.exists(until):
        due = int((loop.time() - begin) * rate)
        while sent < due and len(running) < 500:
            task = asyncio.ensure_future(ask(client))
            running.add(task)
            task.add_done_callback(running.discard)
            client, sent = (client + 1) % clients, sent + 1
        sent = max(sent, due - rate)   # a busy machine owes nobody more than a second
        await asyncio.sleep(0.01)
    if running:
        await asyncio.wait(running, timeout=15)
    print(json.dumps({"requests": requests, "failed": failed, "hurt_clients": len(hurt), "versions": versions,
                      "clients": {name: len(all_of) for name, all_of in of_version.items()}}))


if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2]), sys.argv[3], *sys.argv[4:5], *map(float, sys.argv[5:6])))
else:
    asyncio.run(crowd(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))

#!/usr/bin/python3
"""versions.py serve PORT NAME [KIND SHARE]: a small HTTP service that answers NAME and closes; KIND is what goes wrong with a SHARE of
requests: error (503), reset, slow (300 ms later), crash (the process ends at the first such request).
versions.py crowd PORT CLIENTS RATE UNTIL_FILE [redis]: CLIENTS with addresses of their own in 127.0.0.0/8 ask in turn, RATE requests a
second together, each on a new connection, until the file exists; prints {"requests":..,"failed":..,"hurt_clients":..,"versions":{NAME:..},
"clients":{NAME:..}}. With redis they ask real Redis servers who they are (key whoami); one question in twenty is a STRLEN.
versions.py shares PORT CLIENTS: each client asks once; prints a line "CLIENT NAME" each, sorted.
versions.py hold PORT CLIENT...: a session each that stays open; prints "CLIENT NAME" when all are up, then "CLIENT ended MILLISECONDS"
as they end; ends with the last."""
import asyncio
import json
import os
import random
import select
import socket
import struct
import sys
import time

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


def address(client):
    return f"127.{1 + client // 60000}.{client // 250 % 240}.{1 + client % 250}"


QUESTION = b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"


async def ask_http(reader, writer, number):
    writer.write(QUESTION)
    answer = await reader.read(-1)
    name = answer.rpartition(b"\r\n\r\n")[2].decode()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(name)
    return name


async def ask_redis(reader, writer, number):
    odd = random.random() < 0.05
    writer.write(b"*2\r\n$6\r\nSTRLEN\r\n$6\r\nwhoami\r\n" if odd else b"*2\r\n$3\r\nGET\r\n$6\r\nwhoami\r\n")
    head = await reader.readuntil(b"\r\n")
    if not head.startswith(b":" if odd else b"$"):
        raise ConnectionError(head.decode())
    return "" if odd else (await reader.readuntil(b"\r\n"))[:-2].decode()


async def crowd(port, clients, rate, until, protocol="http"):
    question = ask_redis if protocol == "redis" else ask_http
    requests, failed, hurt, versions, of_version = 0, 0, set(), {}, {}

    async def ask(client):
        nonlocal requests, failed
        requests += 1
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port, local_addr=(address(client), 0)), 10)
            try:
                name = await asyncio.wait_for(question(reader, writer, requests), 10)
            finally:
                writer.close()
            if not name:
                return
            versions[name] = versions.get(name, 0) + 1
            of_version.setdefault(name, set()).add(client)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
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


def connect(port, client):
    connection = socket.create_connection((HOST, port), 10, (address(client), 0))
    connection.sendall(QUESTION)
    return connection


def shares(port, clients):
    for client in range(clients):
        with connect(port, client) as connection:
            answer = b""
            while more := connection.recv(4096):
                answer += more
        print(f"{client:06} {answer.rpartition(bytes([13, 10, 13, 10]))[2].decode().split()[-1]}")


def hold(port, clients):
    begin, sessions = time.monotonic(), {}
    for client in clients:
        connection = socket.create_connection((HOST, port), 10, (address(client), 0))
        connection.sendall(QUESTION.replace(b"Connection: close\r\n", b""))
        sessions[connection] = client
        print(client, connection.recv(4096).rpartition(b"\r\n\r\n")[2].decode().split()[-1], flush=True)
    while sessions:
        for connection in select.select(list(sessions), [], [])[0]:
            try:
                over = not connection.recv(4096)
                how = "ended"
            except ConnectionError:
                over, how = True, "reset"
            if over:
                print(sessions.pop(connection), how, int((time.monotonic() - begin) * 1000), flush=True)


verb, port = sys.argv[1], int(sys.argv[2])
if verb == "serve":
    asyncio.run(serve(port, sys.argv[3], *sys.argv[4:5], *map(float, sys.argv[5:6])))
elif verb == "shares":
    shares(port, int(sys.argv[3]))
elif verb == "hold":
    hold(port, [int(client) for client in sys.argv[3:]])
else:
    asyncio.run(crowd(port, int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:7]))

#!/usr/bin/python3
"""bursts.py LISTEN_PORT VIA_PORT RELAY_PID SESSIONS ROUNDS: bursts of small chunks through a relay, with every byte looked at.

Both ends are here: clients connect to VIA, the relay connects to LISTEN. In each round the relay is stopped, every session gets a chunk of
1 to 5000 bytes in one or both directions, and the relay goes on: it finds them all at once. A reader in eight naps till the end, so
that its sender's bytes fill every buffer in between; meanwhile sessions end by FIN or reset and fresh ones take their places. Prints
a JSON line with what was done; the exit code is 1, with the reason, when a byte or an end was not what it should be.
"""
import json
import os
import random
import select
import signal
import socket
import struct
import sys

CHUNK_MAX, PATIENCE = 5000, 30
rng = random.Random(7)
POOL = rng.randbytes(1 << 20)
done = {"bytes": 0, "chunks": 0, "sessions": 0, "fins": 0, "resets": 0}


class Stream:
    """One direction: what was sent and what came, as positions in the pool of bytes."""

    def __init__(self, source, sink):
        self.source, self.sink, self.naps = source, sink, rng.random() < 1 / 8
        self.start, self.sent, self.got = rng.randrange(len(POOL)), 0, 0

    def expected(self, at, count):
        first = (self.start + at) % len(POOL)
        part = POOL[first:first + count]
        return part if len(part) == count else part + POOL[:count - len(part)]

    def push(self, size):
        try:
            taken = self.source.send(self.expected(self.sent, size))
        except BlockingIOError:
            taken = 0
        done["chunks"] += taken > 0
        self.sent += taken

    def pull(self):   # what has come; None at the end of the stream
        try:
            data = self.sink.recv(1 << 16)
        except BlockingIOError:
            return b""
        if data != self.expected(self.got, len(data)):
            raise ValueError("wrong bytes after %d of %d" % (self.got, self.sent))
        self.got += len(data)
        done["bytes"] += len(data)
        return data or None

    def catch_up(self, wanted):
        while self.got < wanted:
            if not select.select([self.sink], [], [], PATIENCE)[0]:
                raise ValueError("%d of %d bytes came, then none for %d s" % (self.got, wanted, PATIENCE))
            if self.pull() is None:
                raise ValueError("the stream ended after %d of %d bytes" % (self.got, wanted))


class Session:
    def __init__(self, listener, via):
        client = socket.create_connection(("127.0.0.1", via), timeout=PATIENCE)
        client.sendall(b"!")
        server, _ = listener.accept()
        if server.recv(1) != b"!":
            raise ValueError("a session began with another byte")
        server.sendall(b"!")
        if client.recv(1) != b"!":
            raise ValueError("an answer began with another byte")
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        self.client, self.server = client, server
        self.up, self.down = Stream(client, server), Stream(server, client)
        done["sessions"] += 1

    def streams(self):
        return (self.up, self.down)

    def reset(self):   # right behind a chunk: it may or may not arrive, but nothing wrong does, and then a reset
        self.up.naps = False
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        done["resets"] += 1

    def see_reset(self):
        try:
            while True:
                if not select.select([self.server], [], [], PATIENCE)[0]:
                    raise ValueError("a reset did not come through in %d s" % PATIENCE)
                if self.up.pull() is None:
                    raise ValueError("an orderly end where the client had reset")
        except ConnectionResetError:
            self.server.close()

    def finish(self):   # the client's FIN rides behind its last chunk; the server then sends its own last one
        self.up.catch_up(self.up.sent)
        self.see_end(self.up)
        self.down.push(rng.randrange(1, CHUNK_MAX))
        self.server.close()
        self.down.catch_up(self.down.sent)
        self.see_end(self.down)
        self.client.close()
        done["fins"] += 1

    def see_end(self, stream):
        if not select.select([stream.sink], [], [], PATIENCE)[0] or stream.pull() is not None:
            raise ValueError("no end of stream after %d bytes" % stream.got)


def main(listen, via, relay, sessions_max, rounds):
    listener = socket.create_server(("127.0.0.1", listen), backlog=1024)
    listener.settimeout(PATIENCE)
    sessions = [Session(listener, via) for _ in range(sessions_max)]
    for number in range(rounds):
        ending = rng.sample([s for s in sessions if not s.up.naps and not s.down.naps], 2) if number % 10 == 9 else []
        os.kill(relay, signal.SIGSTOP)
        try:
            for session in sessions:
                for stream in rng.choice([session.streams(), (session.up,), (session.down,)]):
                    stream.push(rng.randrange(1, 4096 if stream.naps else rng.choice([64, 1000, CHUNK_MAX])))
            if ending:
                ending[0].reset()
                ending[1].client.shutdown(socket.SHUT_WR)
        finally:
            os.kill(relay, signal.SIGCONT)
        if ending:
            ending[0].see_reset()
            ending[1].finish()
        sessions = [s for s in sessions if s not in ending]
        for session in sessions:
            for stream in session.streams():
                if not stream.naps:
                    stream.catch_up(stream.sent)
        sessions += [Session(listener, via) for _ in ending]
    for session in sessions:
        session.client.shutdown(socket.SHUT_WR)
        session.down.catch_up(session.down.sent)
        session.finish()
    print(json.dumps(done))


try:
    main(*map(int, sys.argv[1:]))
except (OSError, ValueError, EOFError) as error:
    sys.exit("bursts.py: %s: %s" % (type(error).__name__, error))

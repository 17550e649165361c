#!/usr/bin/python3
"""peer.py VERB ...: raw TCP clients and servers for what real clients do not do on purpose.

Clients (each prints what it learned, exit code 1 with a reason when it did not get what it was promised):
  drip PORT HEX EXPECTED_HEX      sends one byte at a time, each in a segment of its own; the answer must begin with EXPECTED
  send PORT HEX [WAIT]            sends at once, prints the answer in hex and how the connection ended: eof, reset or open (WAIT seconds)
  half-close PORT MIB             sends a Redis command and MIB of data, shuts down its side, prints the server's answer (`sum`)
  talk-on PORT HEX COUNT          sends HEX, reads to the server's end, then sends COUNT more bytes and ends (`ender`)
  download PORT MIB [PAUSE_MS]    asks `stream` for MIB of data, prints their SHA-256 and length; slow with a pause after each read
  many PORT COUNT                 COUNT Redis sessions open at the same time; each PINGs twice
  hold PORT COUNT                 COUNT Redis sessions that PING until stdin ends; prints "held" when all are up, then the rounds
  burst PORT COUNT HEX            COUNT sessions at the same moment that send HEX; prints how many were answered and how many reset
  load PORT UNTIL_FILE [keep]     HTTP GETs in a loop until the file exists; prints the number done; with keep on one connection
  pieces PORT ROUNDS              one session sends each Redis command in three small writes; prints the median round's milliseconds
  reset PORT                      sends a Redis command, waits for the first answer, then resets
Servers (print their port on the first line when PORT is 0):
  sum PORT                        reads to the end of input, answers SHA-256 and length of all it got, closes
  stream PORT                     reads "GET /N", sends N MiB of pseudo-random data, closes
  resetter PORT FILE              answers the first bytes with +OK, then resets; writes "reset" to FILE when the peer did it first
  ender PORT FILE                 answers the first bytes with "bye", shuts down its side, writes to FILE how many bytes came after that
  silent PORT                     accepts and says nothing
  pong PORT NAME                  answers every chunk with NAME
"""
import hashlib
import itertools
import os
import random
import resource
import selectors
import socket
import struct
import sys
import threading
import time

HOST = "127.0.0.1"
PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connect(port, timeout=30):
    sock = socket.create_connection((HOST, int(port)), timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise EOFError("the peer closed after %d of %d bytes: %r" % (len(data), size, data[:80]))
        data += chunk
    return data


def read_to_end(sock):
    data = b""
    while chunk := sock.recv(1 << 16):
        data += chunk
    return data


def pattern(mebibytes):
    """The same pseudo-random mebibytes on both sides, cheap to make and never the same twice in a row."""
    block = random.Random(7).randbytes(1 << 20)
    for number in range(mebibytes):
        yield struct.pack("<Q", number) + block[8:]


def drip(port, text, expected):
    data, wanted = bytes.fromhex(text), bytes.fromhex(expected)
    sock = connect(port)
    for i in range(len(data)):
        sock.sendall(data[i:i + 1])
        time.sleep(0.001)   # a segment of its own, also past Nagle's and the receiver's merging
    got = read_exactly(sock, len(wanted))
    if got != wanted:
        raise ValueError("answer %s, expected %s" % (got.hex(), expected))


def send(port, text, wait="10"):
    got, end = b"", "eof"
    try:
        sock = connect(port, float(wait))   # which may already say that it was reset
        sock.sendall(bytes.fromhex(text))
        while chunk := sock.recv(1 << 16):
            got += chunk
    except (ConnectionResetError, BrokenPipeError):
        end = "reset"
    except socket.timeout:
        end = "open"
    print(got.hex() or "-", end)


def half_close(port, mebibytes):
    sock = connect(port)
    digest = hashlib.sha256()
    for block in itertools.chain([PING], pattern(int(mebibytes))):
        digest.update(block)
        sock.sendall(block)
    sock.shutdown(socket.SHUT_WR)
    answer = read_to_end(sock).decode().strip()
    expected = "%s %d" % (digest.hexdigest(), len(PING) + (int(mebibytes) << 20))
    if answer != expected:
        raise ValueError("the server got %r, sent was %r" % (answer, expected))
    print(answer)


def talk_on(port, text, count):
    sock = connect(port)
    sock.sendall(bytes.fromhex(text))
    answer = read_to_end(sock)
    if answer != b"bye":
        raise ValueError("answer %r" % answer)
    sock.sendall(bytes(int(count)))
    sock.close()


def download(port, mebibytes, pause="0"):
    sock = connect(port)
    sock.sendall(b"GET /%s HTTP/1.0\r\n\r\n" % mebibytes.encode())
    got, expected, length = hashlib.sha256(), hashlib.sha256(), 0
    while chunk := sock.recv(1 << 18):
        got.update(chunk)
        length += len(chunk)
        time.sleep(float(pause) / 1000)
    for block in pattern(int(mebibytes)):
        expected.update(block)
    if got.digest() != expected.digest():
        raise ValueError("%d bytes arrived, and they are not what was sent" % length)
    print(got.hexdigest(), length)


def open_sessions(port, count):
    raise_limit()
    socks = []
    for _ in range(int(count)):
        socks.append(connect(port))
        socks[-1].sendall(PING)
    for sock in socks:
        if read_exactly(sock, len(PONG)) != PONG:
            raise ValueError("not PONG")
    return socks


def ping_all(socks):
    for sock in socks:
        sock.sendall(PING)
    for sock in socks:
        if read_exactly(sock, len(PONG)) != PONG:
            raise ValueError("not PONG")


def many(port, count):
    socks = open_sessions(port, count)
    ping_all(socks)
    print(len(socks))


def hold(port, count):
    socks = open_sessions(port, count)
    print("held", flush=True)
    rounds = 1
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while not selector.select(0.02):
            ping_all(socks)
            rounds += 1
    print("rounds", rounds)


def burst(port, count, text):
    """All at once, or nearly: nothing between two connects but the connects. Each has ten seconds to be answered or refused."""
    socks, answered, refused = [connect(port, 10) for _ in range(int(count))], 0, 0
    for sock in socks:
        try:
            sock.sendall(bytes.fromhex(text))
        except OSError:
            pass   # refused already; recv says so
    for sock in socks:
        try:
            answered += 1 if sock.recv(4096) else 0
        except ConnectionResetError:
            refused += 1
    print(answered, refused)


def load(port, until, keep=""):
    done, sock = 0, None
    request = b"GET / HTTP/1.1\r\nHost: x\r\n%s\r\n" % (b"" if keep else b"Connection: close\r\n")
    while not os.path.exists(until):
        sock = sock if keep and sock else connect(port, 10)
        sock.sendall(request)
        answer = b""
        while b"\r\n\r\nhello from " not in answer or not answer.endswith(b"\n"):
            chunk = sock.recv(4096)
            if not chunk:
                raise EOFError("request %d was cut: %r" % (done + 1, answer))
            answer += chunk
        if not keep:
            sock.close()
        done += 1
    print(done)


def pieces(port, rounds):
    sock, took = connect(port), []
    for _ in range(int(rounds)):
        start = time.monotonic()
        for piece in (b"*2\r\n$4\r\nECHO\r\n", b"$5\r\nhel", b"lo\r\n"):
            sock.sendall(piece)
            time.sleep(0.002)   # lets the relay see each write by itself
        if read_exactly(sock, 11) != b"$5\r\nhello\r\n":
            sys.exit("another answer than the one asked for")
        took.append(time.monotonic() - start)
    print("%.1f" % (sorted(took)[len(took) // 2] * 1000))


def exchange(port, mebibytes, rounds):   # long values to a Redis server and back, one after the other on one session
    sock, value, slowest = connect(port), os.urandom(int(mebibytes) << 20), 0
    key = b"long-%02d" % int(mebibytes)
    store = b"*3\r\n$3\r\nSET\r\n$7\r\n%s\r\n$%d\r\n%s\r\n" % (key, len(value), value)
    answer = b"$%d\r\n%s\r\n" % (len(value), value)
    for _ in range(int(rounds)):
        start = time.monotonic()
        sock.sendall(store)
        if read_exactly(sock, 5) != b"+OK\r\n":
            sys.exit("another answer to SET")
        sock.sendall(b"*2\r\n$3\r\nGET\r\n$7\r\n%s\r\n" % key)
        if read_exactly(sock, len(answer)) != answer:
            sys.exit("another value than the one that was set")
        slowest = max(slowest, time.monotonic() - start)
    print("%.0f" % (slowest * 1000))


def reset_client(port):
    sock = connect(port)
    sock.sendall(PING)
    sock.recv(16)
    reset(sock)


def serve(port, handler):
    raise_limit()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, int(port)))
    listener.listen(4096)
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=handler, args=(sock,), daemon=True).start()


def sum_handler(sock):
    digest, length = hashlib.sha256(), 0
    while chunk := sock.recv(1 << 18):
        digest.update(chunk)
        length += len(chunk)
    sock.sendall(b"%s %d\n" % (digest.hexdigest().encode(), length))
    sock.close()


def stream_handler(sock):
    request = b""
    while b"\r\n\r\n" not in request:
        request += sock.recv(4096)
    for block in pattern(int(request.split(b" ")[1][1:])):
        sock.sendall(block)
    sock.close()


def resetter(path):
    def handler(sock):
        sock.recv(4096)
        sock.sendall(b"+OK\r\n")
        if path == "-":
            return reset(sock)
        try:
            end = "eof" if not sock.recv(4096) else "data"
        except ConnectionResetError:
            end = "reset"
        with open(path, "w", encoding="ascii") as file:
            file.write(end)
    return handler


def ender(path):
    def handler(sock):
        sock.recv(4096)
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        count = len(read_to_end(sock))
        with open(path, "w", encoding="ascii") as file:
            file.write(str(count))
    return handler


def silent_handler(sock):
    read_to_end(sock)


def pong(name):
    def handler(sock):
        while sock.recv(1 << 16):
            sock.sendall(name.encode())
        sock.close()
    return handler


CLIENTS = {"drip": drip, "send": send, "half-close": half_close, "talk-on": talk_on, "download": download, "many": many, "burst": burst,
           "hold": hold, "load": load, "pieces": pieces, "exchange": exchange, "reset": reset_client}
HANDLERS = {"sum": lambda: sum_handler, "stream": lambda: stream_handler, "ender": ender, "resetter": resetter,
            "silent": lambda: silent_handler, "pong": pong}

if __name__ == "__main__":
    try:
        if sys.argv[1] in CLIENTS:
            CLIENTS[sys.argv[1]](*sys.argv[2:])
        else:
            serve(sys.argv[2], HANDLERS[sys.argv[1]](*sys.argv[3:]))
    except (OSError, EOFError, ValueError) as error:
        sys.exit("peer.py %s: %s: %s" % (sys.argv[1], type(error).__name__, error))

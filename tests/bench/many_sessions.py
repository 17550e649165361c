#!/usr/bin/python3
"""many_sessions.py server HOST PORT | client HOST PORT COUNT: the two ends of many_sessions.sh, one process each.

The server answers +PONG to whatever comes. The client opens COUNT sessions that PING once, prints "held COUNT", and for each line on
stdin lets every session PING again; it prints "round OK" with the number that were answered, and ends with stdin."""
import resource
import select
import socket
import sys

PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
OPENING = 200   # sessions that are opened at the same time


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def server(host, port):
    listener = socket.create_server((host, int(port)), backlog=4096)
    listener.setblocking(False)
    poll, socks = select.epoll(), {}
    poll.register(listener, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                try:
                    while True:
                        sock, _ = listener.accept()
                        sock.setblocking(False)
                        socks[sock.fileno()] = sock
                        poll.register(sock, select.EPOLLIN)
                except BlockingIOError:
                    continue
            try:
                data = socks[number].recv(4096)
            except OSError:
                data = b""
            if data:
                socks[number].send(PONG)
            else:
                socks.pop(number).close()


def ask(socks):
    """PINGs on all of them; the number that are answered with PONG."""
    good = 0
    for sock in socks:
        sock.sendall(PING)
    for sock in socks:
        good += sock.recv(64) == PONG
    return good


def client(host, port, count):
    socks = []
    while len(socks) < int(count):
        batch = [socket.create_connection((host, int(port)), timeout=60) for _ in range(min(OPENING, int(count) - len(socks)))]
        if ask(batch) != len(batch):
            sys.exit("a session was not answered")
        socks += batch
    print("held", len(socks), flush=True)
    for _ in sys.stdin:
        print("round", sum(ask(socks[at:at + OPENING]) for at in range(0, len(socks), OPENING)), flush=True)


raise_limit()
{"server": server, "client": client}[sys.argv[1]](*sys.argv[2:])

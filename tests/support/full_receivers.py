#!/usr/bin/python3
"""full_receivers.py LISTEN VIA FORWARD_PID: how nlb-forward finds an end behind bytes that its receiver has no room for.

Each of many sessions is sent another number of bytes, which nobody reads yet, so that some of them are about to be full. Then nlb-forward
stands still (SIGSTOP) while each sender sends one more piece and its end, and finds both at once. Two rounds: clients that end in order,
while their module ends its own side, which must still get every byte; and modules that reset, which every client must see.
Prints how many sessions it had; exit code 1 with what was wrong.
"""
import os
import signal
import socket
import struct
import sys
import time

HOST, SESSIONS, BUFFER = "127.0.0.1", 48, 16 << 10
LAST_READ, READ_AND_MORE = 30 << 10, 100 << 10   # less and more than the relay reads at a time
SETTLED = 0.5   # seconds for the relay to move what it can
with open("/proc/sys/net/ipv4/tcp_wmem", encoding="ascii") as file:
    ROOM = int(file.read().split()[2])   # what the relay's socket holds, with the kernel's own tenth or so for each piece
FILLS = [int(ROOM * (0.8 + 0.25 * number / SESSIONS)) for number in range(SESSIONS)]


def small(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)   # before the handshake: the window follows from it
    return sock


def open_sessions(listener, via):
    """(client, module) pairs; each module has read what its client said first."""
    clients, modules = [], {}
    for number in range(SESSIONS):
        clients.append(small(socket.socket()))
        clients[-1].connect((HOST, via))
        clients[-1].sendall(struct.pack("<I", number))
        module, _ = listener.accept()
        modules[struct.unpack("<I", module.recv(4, socket.MSG_WAITALL))[0]] = module
    return [(client, modules[number]) for number, client in enumerate(clients)]


def send(sock, size):
    """As much of `size` bytes as the system takes at once."""
    sent = 0
    sock.setblocking(False)
    try:
        while sent < size:
            sent += sock.send(bytes(size - sent))
    except BlockingIOError:
        pass
    sock.settimeout(10)
    return sent


def fill_and_end(senders, forward, piece, end):
    """Each sender's bytes."""
    sent = [send(sock, size) for sock, size in zip(senders, FILLS)]
    time.sleep(SETTLED)
    os.kill(forward, signal.SIGSTOP)
    try:
        for number, sock in enumerate(senders):
            sent[number] += send(sock, piece)
            end(sock)
    finally:
        os.kill(forward, signal.SIGCONT)
    time.sleep(SETTLED)
    return sent


def read_all(sock):
    """How many bytes came, and the end: eof, reset or none."""
    got = 0
    sock.settimeout(10)
    try:
        while chunk := sock.recv(1 << 18):
            got += len(chunk)
        return got, "eof"
    except ConnectionResetError:
        return got, "reset"
    except TimeoutError:
        return got, "none"


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def main(listen, via, forward):
    listener = small(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, listen))
    listener.listen(SESSIONS)
    wrong = []

    pairs = open_sessions(listener, via)
    sent = fill_and_end([client for client, _ in pairs], forward, LAST_READ, lambda sock: sock.shutdown(socket.SHUT_WR))
    for _, module in pairs:
        module.shutdown(socket.SHUT_WR)
    time.sleep(SETTLED)
    for number, (client, module) in enumerate(pairs):
        if (got := read_all(module)) != (sent[number], "eof"):
            wrong.append("%d bytes were sent, the module got %d and %s" % (sent[number], *got))
        module.close()
        if (got := read_all(client)) != (0, "eof"):
            wrong.append("a client got %d bytes and %s" % got)
        client.close()

    pairs = open_sessions(listener, via)
    sent = fill_and_end([module for _, module in pairs], forward, READ_AND_MORE, reset)
    for number, (client, _) in enumerate(pairs):
        if (got := read_all(client))[1] != "reset":
            wrong.append("the module sent %d bytes and reset, the client got %d and %s" % (sent[number], *got))
        client.close()
    print(2 * len(pairs))
    return "\n".join(wrong)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:4])) or 0)

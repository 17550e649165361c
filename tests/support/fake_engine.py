#!/usr/bin/env python3
"""A Docker engine that misbehaves: fake_engine.py SOCKET MODE_FILE. MODE_FILE is read before every request: hang | garbage | html | 429 |
500 | shapes | drip (an endless header) | endless (body). It exists because a real engine can't be made to."""
import os, socket, sys, threading, time

path, mode_file = sys.argv[1:]


def answer(status, body, headers=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}".encode()


def serve(peer):
    try:
        peer.recv(65536)
        with open(mode_file) as f:
            mode = f.read().strip()
        if mode == "hang":
            time.sleep(60)
        elif mode == "garbage":
            peer.sendall(os.urandom(2000))
        elif mode == "html":
            peer.sendall(answer("200 OK", "<html>"))
        elif mode == "shapes":
            peer.sendall(answer("200 OK", '[1,{"Id":7,"Labels":[]},{"Id":"x","Labels":{"nlb.instance":3}},{"Id":"y","Labels":{"nlb.instance":"a"},"State":{},"Created":"no","NetworkSettings":[]}]'))
        elif mode == "429":
            peer.sendall(answer("429 Too Many Requests", '{"message":"slow down"}', "Retry-After: 9\r\n"))
        elif mode == "500":
            peer.sendall(answer("500 Internal Server Error", '{"message":"no space left on device"}'))
        elif mode == "drip":
            peer.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(600):
                peer.sendall(b"X")
                time.sleep(0.1)
        elif mode == "endless":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
            while True:
                peer.sendall(b" " * 65536)
    except OSError:
        pass
    finally:
        peer.close()


listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

#!/usr/bin/env python3
"""Makes captures for tests with nothing but struct: TCP conversations, cut and ordered as told, in pcap or pcapng.

usage: make_pcap.py mixed OUT [--link ethernet|vlan|sll|sll2|raw|null] [--format pcap|pcapng|big|nano] [--flows N]
       make_pcap.py mixed-links OUT            a pcapng whose interfaces differ in link type
       make_pcap.py repeat OUT BYTES FILE...   the Ethernet packets of FILEs again and again, other addresses in every round
As a module: Conversation, write_pcap, write_pcapng.
"""
import argparse, struct, sys

OPENINGS = [   # protocol, port, who speaks first, first payloads of client and server
    ("http", 8080, "client", b"GET /index.html HTTP/1.1\r\nHost: www.example\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("redis", 6379, "client", b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    ("postgresql", 5432, "client", struct.pack(">II", 8, 80877103), b"N"),
    ("mysql", 3306, "server", b"\x20\0\0\1" + bytes(32), b"\x2c\0\0\0\x0a8.0.36\0" + struct.pack("<I", 7) + b"12345678\0\xff\xff\x21\2\0\xff\xff\x15" + bytes(10)),
    ("mongodb", 27017, "client", struct.pack("<iiiiI", 47, 1, 0, 2013, 0) + b"\0" + struct.pack("<i", 26) + b"\x10hello\0\1\0\0\0\x02$db\0\2\0\0\0a\0\0", b""),
    ("unknown", 22, "server", b"SSH-2.0-client\r\n", b"SSH-2.0-server\r\n"),
]
LINKS = {"ethernet": 1, "vlan": 1, "sll": 113, "sll2": 276, "raw": 101, "null": 0}
FIN, SYN, PSH, ACK = 1, 2, 8, 16


def frame(link, ip):
    version = ip[0] >> 4
    ether_type = 0x0800 if version == 4 else 0x86DD
    if link == "ethernet": return bytes(12) + struct.pack(">H", ether_type) + ip
    if link == "vlan": return bytes(12) + struct.pack(">HHH", 0x8100, 7, ether_type) + ip
    if link == "sll": return struct.pack(">HHH8sH", 0, 1, 6, bytes(8), ether_type) + ip
    if link == "sll2": return struct.pack(">HHIHBB8s", ether_type, 0, 1, 1, 0, 6, bytes(8)) + ip
    if link == "null": return struct.pack("<I", 2 if version == 4 else 30) + ip
    return ip


def tcp(client, server, seq, ack, flags, payload):
    """client and server are (address as 4 or 16 bytes, port); an IP packet with the segment in it."""
    segment = struct.pack(">HHIIBBHHH", client[1], server[1], seq % 2**32, ack % 2**32, 5 << 4, flags, 65535, 0, 0) + payload
    if len(client[0]) == 16:
        return struct.pack(">IHBB", 6 << 28, len(segment), 6, 64) + client[0] + server[0] + segment
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, 6, 0) + client[0] + server[0] + segment


class Conversation:
    """Collects the IP packets of one connection; initial sequence numbers near the wrap by default."""

    def __init__(self, client, server, client_seq=2**32 - 9, server_seq=2**32 - 5, handshake=True):
        self.ends, self.seq, self.packets = (client, server), [client_seq, server_seq], []
        if handshake:
            self.send(0, b"", SYN), self.send(1, b"", SYN | ACK), self.send(0, b"", ACK)

    def send(self, side, payload, flags=PSH | ACK):
        self.packets.append(tcp(self.ends[side], self.ends[1 - side], self.seq[side], self.seq[1 - side], flags, payload))
        self.seq[side] += len(payload) + (1 if flags & (SYN | FIN) else 0)

    def close(self):
        self.send(0, b"", FIN | ACK), self.send(1, b"", FIN | ACK), self.send(0, b"", ACK)


def mixed(flows):
    """IP packets of `flows` conversations, every protocol in turn, some with the payload cut into single bytes."""
    for i in range(flows):
        name, port, first, client_bytes, server_bytes = OPENINGS[i % len(OPENINGS)]
        client = (bytes([10, i >> 16 & 255, i >> 8 & 255, i & 255]), 40000 + i % 20000)
        talk = Conversation(client, (bytes([192, 0, 2, 1]), port))
        order = [(0, client_bytes), (1, server_bytes)]
        for side, payload in order if first == "client" else order[::-1]:
            for cut in [payload[k:k + 1] for k in range(len(payload))] if i % 4 == 3 else [payload]:
                if cut: talk.send(side, cut)
        for _ in range(i % 30):
            talk.send(1, bytes(600)), talk.send(0, b"", ACK)
        talk.close()
        yield from talk.packets


def pcap_header(link_type, order="<", magic=0xA1B2C3D4):
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)


def write_pcap(path, frames, link_type=1, order="<", nano=False):
    with open(path, "wb") as out:
        out.write(pcap_header(link_type, order, 0xA1B23C4D if nano else 0xA1B2C3D4))
        for i, data in enumerate(frames):
            out.write(struct.pack(order + "IIII", 1700000000 + i // 1000, i % 1000 * 1000 + (7 if nano else 0), len(data), len(data)) + data)


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def write_pcapng(path, frames):
    """frames: (link type, bytes); every link type gets its interface."""
    seen = []
    with open(path, "wb") as out:
        out.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for i, (link_type, data) in enumerate(frames):
            if link_type not in seen:
                seen.append(link_type)
                out.write(block(1, struct.pack("<HHI", link_type, 0, 0)))
            ticks = 1700000000 * 10**6 + i * 1000
            out.write(block(6, struct.pack("<IIIII", seen.index(link_type), ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data))


def ethernet_records(path):
    raw = open(path, "rb").read()
    if raw[:4] != b"\xd4\xc3\xb2\xa1" or struct.unpack("<I", raw[20:24])[0] & 0xFFFF != 1: return []
    records, at = [], 24
    while at + 16 <= len(raw):
        captured, original = struct.unpack("<II", raw[at + 8:at + 16])
        if at + 16 + captured > len(raw): break
        records.append((raw[at + 16:at + 16 + captured], original))
        at += 16 + captured
    return records


def repeat(path, size, files):
    records = [r for name in files for r in ethernet_records(name)]
    if not records: sys.exit("no Ethernet pcap among the files")
    written = round_ = count = 0
    with open(path, "wb") as out:
        out.write(pcap_header(1))
        while written < size:
            shift = (round_ % 256, round_ // 256 % 256)
            for data, original in records:
                if data[12:14] == b"\x08\x00" and len(data) >= 34:
                    data = bytearray(data)
                    for at in (27, 31): data[at] ^= shift[0]; data[at + 1 - 2] ^= shift[1]
                out.write(struct.pack("<IIII", 1700000000 + count // 100000, count % 100000 * 10, len(data), original) + data)
                written += 16 + len(data)
                count += 1
            round_ += 1
    print(f"{count} packets, {written} bytes, {round_} rounds", file=sys.stderr)


def main():
    if sys.argv[1:2] == ["repeat"]: return repeat(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["mixed", "mixed-links"]), p.add_argument("out")
    p.add_argument("--link", choices=LINKS, default="ethernet"), p.add_argument("--format", default="pcap")
    p.add_argument("--flows", type=int, default=len(OPENINGS))
    a = p.parse_args()
    packets = list(mixed(a.flows))
    if a.what == "mixed-links":
        names = list(LINKS)
        return write_pcapng(a.out, [(LINKS[n], frame(n, ip)) for i, ip in enumerate(packets) for n in [names[i % len(names)]]])
    frames = [frame(a.link, ip) for ip in packets]
    if a.format == "pcapng": return write_pcapng(a.out, [(LINKS[a.link], f) for f in frames])
    write_pcap(a.out, frames, LINKS[a.link], ">" if a.format == "big" else "<", a.format == "nano")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Writes a seed corpus for the fuzz targets of inspect from tests/data/detection/vectors.tsv: seeds.py FOLDER

Then, for example: build/fuzz/bin/detect_fuzz -max_total_time=60 -max_len=300 FOLDER/detect_fuzz
"""
import pathlib
import sys

PROXY = [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", b"PROXY TCP6 ::1 2001:db8::2 1 2\r\n", b"PROXY UNKNOWN\r\n",
         b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\1\2\3\4\5\6\7\x08\0\x50\0\x51\4\0\1x", b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + bytes(36)]


def write(folder, seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"{number:04}").write_bytes(seed)


def main():
    root = pathlib.Path(sys.argv[1])
    table = pathlib.Path(__file__).parent.parent / "data/detection/vectors.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines() if not line.startswith("#")][1:]
    vectors = [bytes.fromhex("" if row[1] == "-" else row[1]) for row in rows]
    write(root / "detect_fuzz", vectors)
    write(root / "proxy_header_fuzz", PROXY)
    write(root / "details_fuzz", [bytes([protocol]) + vector for vector in vectors for protocol in range(8)])


main()

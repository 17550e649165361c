#!/usr/bin/env python3
"""Runs nlb-inspect over a set of labelled captures and prints the confusion table.

usage: score_captures.py [--nlb-inspect PROGRAM] [--captures DIRECTORY] [--verbose]

DIRECTORY holds labels.tsv (one line per TCP flow) and the captures it names; the default is $NLB_SHARED/detection/captures, or
../shared beside the project. Without it the script says so and exits 77. It fails (1) unless every flow of our seven labels whose
start was captured is right by content alone, and no flow labelled unknown is claimed.
"""
import argparse, collections, csv, ipaddress, json, os, pathlib, subprocess, sys

OURS = ("http", "tls", "mysql", "postgresql", "mongodb", "redis", "rtmp")
ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments():
    shared = pathlib.Path(os.environ.get("NLB_SHARED") or ROOT.parent / "shared")
    p = argparse.ArgumentParser()
    default = pathlib.Path(os.environ.get("NLB_BIN", ROOT / "build/release/bin")) / "nlb-inspect"
    p.add_argument("--nlb-inspect", default=str(default))
    p.add_argument("--captures", default=shared / "detection/captures", type=pathlib.Path)
    p.add_argument("--verbose", action="store_true", help="print every miss")
    return p.parse_args()


def endpoint(text):
    host, port = text.rsplit(":", 1)
    ip = ipaddress.ip_address(host.strip("[]"))
    return (str(getattr(ip, "ipv4_mapped", None) or ip), int(port))


def pair(client, server):
    return tuple(sorted((endpoint(client), endpoint(server))))


def inspect(program, path):
    run = subprocess.run([program, str(path), "-o", "ndjson"], capture_output=True, timeout=120)
    if run.returncode not in (0, 6):
        raise SystemExit(f"{path}: nlb-inspect ended with {run.returncode}: {run.stderr.decode()[:400]}")
    flows = collections.defaultdict(list)
    for line in run.stdout.splitlines():
        flow = json.loads(line)
        flows[pair(flow["client"], flow["server"])].append(flow)
    for same in flows.values():
        same.sort(key=lambda f: f["time"])
    return flows


def main():
    args = arguments()
    labels = args.captures / "labels.tsv"
    if not labels.exists():
        print(f"skipped: {labels} is absent; set NLB_SHARED to score")
        return 77
    by_file = collections.defaultdict(list)
    for row in csv.DictReader(open(labels), delimiter="\t"):
        by_file[f"{row['repo']}/{row['capture']}"].append(row)
    table, misses = collections.Counter(), []
    roles = collections.Counter()
    for name, rows in sorted(by_file.items()):
        flows = inspect(args.nlb_inspect, args.captures / name)
        taken = collections.Counter()
        for row in sorted(rows, key=lambda r: int(r["first_frame"])):
            key = pair(row["client"], row["server"])
            order, taken[key] = taken[key], taken[key] + 1
            found = flows.get(key, [])
            flow = found[order] if order < len(found) else None
            answer = flow["protocol"] if flow else "absent"
            judged = "started" if row["start_captured"] == "yes" else "mid-stream"
            table[row["label"], judged, answer] += 1
            if flow and row["label"] in OURS and judged == "started":
                roles[endpoint(flow["client"]) == endpoint(row["client"]), flow["first_speaker"] == row["first_speaker"]] += 1
            wrong = row["label"] in OURS and judged == "started" and answer != row["label"]
            claimed = row["label"] == "unknown" and answer in OURS
            if wrong or claimed:
                misses.append((name, row, answer))
    answers = [*OURS, "unknown", "absent"]
    print(f"{'label':12}{'start':12}" + "".join(f"{a:>11}" for a in answers))
    for label, judged in sorted({k[:2] for k in table}):
        print(f"{label:12}{judged:12}" + "".join(f"{table[label, judged, a] or '.':>11}" for a in answers))
    print(f"client right: {sum(v for k, v in roles.items() if k[0])} of {sum(roles.values())}; "
          f"first speaker right: {sum(v for k, v in roles.items() if k[1])}")
    for name, row, answer in misses if args.verbose else misses[:40]:
        print(f"MISS {row['label']} judged {answer}: {name} {row['client']} {row['server']} {row['start_detail']} app={row['app']} "
              f"c={row['client_first_bytes_hex'][:40]} s={row['server_first_bytes_hex'][:40]} {row['encapsulation']}")
    print(f"{len(misses)} misses")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())

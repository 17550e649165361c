#!/usr/bin/env python3
"""ratios.py [--markdown] RUNS.ndjson: the runs of dataplane.sh as tables.

Cost is the relay's own CPU time per unit of work (idle: resident memory per session), lower is better. A ratio is taken within each
round, so that what else the machine does in that minute falls on both; shown are the median over the rounds and, in brackets, the
middle half of them (the smallest and the largest for fewer than four).
"""
import json
import statistics
import sys

MARKS = {  # (work, opponent): the ratio that is aimed at
    ("connect", "haproxy-tuned"): 0.75, ("connect", "nginx-tuned"): 0.75,
    ("pingpong", "haproxy-tuned"): 0.88, ("pingpong", "nginx-tuned"): 0.90,
    **{(f"bulk-{way}-{n}", peer): mark for way in ("down", "up") for n in (1, 4)
       for peer, mark in (("haproxy-tuned", 1.0), ("haproxy", 0.45), ("nginx-tuned", 0.6))},
    ("idle", "haproxy-tuned"): 0.1, ("idle", "nginx-tuned"): 0.05,
}
UNITS = {"connect": "us/connection", "pingpong": "us/round trip", "idle": "bytes/session",
         "redis-get": "us/request", "http": "us/request", "http-close": "us/request"}


def cost(run):
    if run["name"] == "idle":
        return (run["resident_bytes"] - run["resident_before_bytes"]) / run["ops"]
    cpu = run["user_s"] + run["system_s"]
    return cpu * 1e9 / run["bytes"] if run["name"].startswith("bulk") else cpu * 1e6 / run["ops"]


def rate(run):
    return run["bytes"] / run["seconds"] / 1e9 if run["name"].startswith("bulk") else run["ops"] / run["seconds"]


def spread(values):
    values = sorted(values)
    if len(values) < 4:
        return values[0], values[-1]
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return quarters[0], quarters[2]


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def show(rows, markdown):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for n, row in enumerate(rows):
        cells = [str(cell).ljust(width) for cell, width in zip(row, widths)]
        print("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
        if n == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|" if markdown else "  ".join("-" * width for width in widths))
    print()


def main():
    markdown = "--markdown" in sys.argv
    lines = [json.loads(line) for line in open(sys.argv[-1], encoding="utf-8")]
    meta = next(line["meta"] for line in lines if "meta" in line)
    runs = [line for line in lines if "name" in line]
    works = list(dict.fromkeys(run["name"] for run in runs))
    relays = list(dict.fromkeys(run["relay"] for run in sorted(runs, key=lambda r: r["relay"] != "nlb")))
    by = {}
    for run in runs:
        by.setdefault((run["name"], run["relay"]), {})[run["round"]] = run

    print(f"{meta['date']}, Linux {meta['kernel']}, {meta['cpus']}, congestion control {meta['congestion']}; HAProxy {meta['haproxy']}, "
          f"nginx {meta['nginx']}, nlb {meta['nlb']}; {meta['workers']} workers each.")
    print(f"{'`' if markdown else ''}{meta['command'].strip()}{'`' if markdown else ''}\n")

    rows = [["cost, median (least)"] + relays]
    for work in works:
        row = [f"{work}, {UNITS.get(work, 'ns/byte')}"]
        for relay in relays:
            costs = [cost(run) for run in by.get((work, relay), {}).values()]
            row.append(f"{number(statistics.median(costs))} ({number(min(costs))})" if costs else "-")
        rows.append(row)
    show(rows, markdown)

    rows = [["rate, median"] + relays]
    for work in works:
        if work != "idle":
            rates = [[rate(run) for run in by.get((work, relay), {}).values()] for relay in relays]
            rows.append([f"{work}, {'GB/s' if work.startswith('bulk') else '1/s'}"] + [number(statistics.median(r)) if r else "-" for r in rates])
    if "connect" in works:
        segments = [[run["segments"] / run["ops"] for run in by[("connect", relay)].values()] for relay in relays]
        rows.append(["connect, TCP segments"] + [f"{statistics.median(s):.2f}" for s in segments])
    for work in ("connect", "pingpong"):
        if work in works:
            rows.append([f"{work}, p50 / p99 us"] + [" / ".join(number(statistics.median(run[key] for run in by[(work, relay)].values()))
                                                               for key in ("p50_us", "p99_us")) for relay in relays])
    if len(rows) > 1:
        show(rows, markdown)

    ours, others = relays[0], relays[1:]
    rows = [[f"cost of {ours} / cost of"] + others]
    for work in works:
        row = [work]
        for other in others:
            mine, its = by.get((work, ours), {}), by.get((work, other), {})
            ratios = [cost(mine[n]) / cost(its[n]) for n in mine if n in its and cost(its[n]) > 0]
            if not ratios:
                row.append("-")
                continue
            low, high = spread(ratios)
            median = statistics.median(ratios)
            mark = MARKS.get((work, other))
            verdict = "" if mark is None else f", mark {mark}: {'met' if median <= mark else 'MISSED'}"
            row.append(f"{median:.2f} ({low:.2f}-{high:.2f}){verdict}")
        rows.append(row)
    show(rows, markdown)
    errors = sum(run["errors"] for run in runs)
    if errors:
        print(f"{errors} sessions failed: " + ", ".join(f"{r['relay']} {r['name']} {r['errors']}" for r in runs if r["errors"]))


if __name__ == "__main__":
    main()

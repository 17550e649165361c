#!/usr/bin/env python3
"""scale_replay.py TRACE.csv [--speed X] < simulate.ndjson: scores every run again from its steps alone and compares with simulate's own
summary. Written from the definitions (seconds, 5 s slots, 90 % of what is ready, a tenth but at most a day unscored), not from the
program. Also runs the pool again from `ordered` and the start-up delay: `ready` has to follow from it. Exits 1 at the first difference."""
import json
import math
import sys

SLOT, SHARE, FLAP = 5, 0.9, 15 * 60


def read_trace(path, speed):
    points = [tuple(map(float, line.split("#")[0].split(","))) for line in open(path) if line.split("#")[0].strip()]
    rates, right = [], 1
    for s in range(int((points[-1][0] - points[0][0]) / speed)):
        at = points[0][0] + s * speed
        while right + 1 < len(points) and points[right][0] <= at:
            right += 1
        (a, x), (b, y) = points[right - 1], points[right]
        rates.append(x + (y - x) * (at - a) / (b - a))
    return rates


def per_second(steps, seconds, key):
    out, i = [], 0
    for t in range(seconds):
        while i + 1 < len(steps) and steps[i + 1]["t"] <= t:
            i += 1
        out.append(steps[i][key])
    return out


def ready_from_orders(steps, seconds, startup):
    """Who is ordered serves after `startup`; who goes is taken from those on their way first, the youngest of them."""
    ready, coming, out, i = steps[0]["ordered"], [], [], 0
    ordered = ready
    for t in range(seconds):
        while coming and coming[0] <= t:
            coming.pop(0)
            ready += 1
        while i + 1 < len(steps) and steps[i + 1]["t"] <= t:
            i += 1
        wanted = steps[i]["ordered"]
        coming += [t + startup] * max(0, wanted - ordered)
        for _ in range(max(0, ordered - wanted)):
            if coming:
                coming.pop()
            else:
                ready -= 1
        ordered = wanted
        if startup == 0:
            ready, coming = ready + len(coming), []
        out.append(ready)
    return out


def score(rates, steps, run):
    demand = [r / run["capacity"] for r in rates]
    begin = min(len(demand) // 10, 86400)
    begin = (begin + SLOT - 1) // SLOT * SLOT
    end = begin + (len(demand) - begin) // SLOT * SLOT
    ordered, ready = (per_second(steps, len(demand), key) for key in ("ordered", "ready"))
    ideal = [max(run["min"], math.ceil(d / SHARE)) for d in demand[begin:end]]
    slots = range(begin, end, SLOT)
    means = [sum(demand[t:t + SLOT]) / SLOT for t in slots]
    least = [min(ready[t:t + SLOT]) for t in slots]
    days = (end - begin) / 86400
    moves = [(b["t"], 1 if b["ordered"] > a["ordered"] else -1) for a, b in zip(steps, steps[1:]) if b["ordered"] != a["ordered"]]
    flaps = sum(1 for (t, d), (u, e) in zip(moves, moves[1:]) if d != e and u - t <= FLAP and u >= begin)
    return {
        "cost": sum(ordered[begin:end]) / sum(ideal),
        "slo_percent": 100 * sum(m > SHARE * n for m, n in zip(means, least)) / len(means),
        "over_percent": 100 * sum(m > n for m, n in zip(means, least)) / len(means),
        "shed_ppm": 1e6 * sum(max(0, d - n) for d, n in zip(demand[begin:end], ready[begin:end])) / max(1e-300, sum(demand[begin:end])),
        "flaps_per_day": flaps / days,
        "actions_per_day": sum(t >= begin for t, _ in moves) / days,
    }, ready


def main():
    speed = float(sys.argv[sys.argv.index("--speed") + 1]) if "--speed" in sys.argv else 1.0
    rates, steps, runs = read_trace(sys.argv[1], speed), [], 0
    for line in sys.stdin:
        entry = json.loads(line)
        if "t" in entry:
            steps.append(entry)
            continue
        mine, ready = score(rates, steps, entry)
        name = f"{entry['strategy']} at {entry['target']}"
        for key, value in mine.items():
            if abs(value - entry[key]) > 1e-6 * max(1, abs(value)):
                sys.exit(f"FAILED: {name}: {key} is {value}, and the summary says {entry[key]}")
        again = ready_from_orders(steps, len(rates), entry["startup_seconds"])
        wrong = next((t for t, (a, b) in enumerate(zip(ready, again)) if a != b), None)
        if wrong is not None:
            sys.exit(f"FAILED: {name}: at {wrong} s {again[wrong]} are ready, and the steps say {ready[wrong]}")
        if any(not entry["min"] <= s["ordered"] <= entry["max"] for s in steps):
            sys.exit(f"FAILED: {name}: outside the limits")
        steps, runs = [], runs + 1
    if runs == 0:
        sys.exit("FAILED: no run in the input: pipe `nlb-scale simulate --steps -o ndjson` into this")
    print(f"{runs} runs replayed: every summary follows from its steps")


main()

#!/usr/bin/env python3
"""scale_shapes.py FOLDER [SEED]: writes loads (seconds,rate, a point a minute unless a shape needs more) that no strategy was tuned on,
each made of what real services show: weeks with holidays, a change of regime, hours without data, heavy-tailed bursts, batch jobs, growth,
a shift of the clock, a rhythm that comes early or late, nights near zero. Standard library only; the same seed gives the same files."""
import math
import os
import random
import sys

DAY, HOUR, MINUTE = 86400, 3600, 60


def bell(t, peak_hour=14.0, sharp=1.0):
    """0 to 1 over the day, with its peak at peak_hour."""
    return ((1 + math.cos(2 * math.pi * (t / DAY - peak_hour / 24))) / 2) ** sharp


class Drift:
    """Noise with a memory: what real minutes have and white noise lacks."""

    def __init__(self, rng, keep=0.97, size=0.02):
        self.rng, self.keep, self.size, self.value = rng, keep, size, 0.0

    def step(self):
        self.value = self.keep * self.value + self.rng.gauss(0, self.size)
        return math.exp(self.value)


def minutes(days, rate, rng, keep=0.97, size=0.02):
    drift = Drift(rng, keep, size)
    return [(t, max(0.0, rate(t) * drift.step())) for t in range(0, days * DAY + 1, MINUTE)]


def weekly_holidays(rng):
    holidays = {8, 17}
    level = lambda t: 0.55 if t // DAY in holidays or t // DAY % 7 >= 5 else 1.0
    return minutes(21, lambda t: 1000 * (0.2 + 0.8 * bell(t)) * level(t), rng)


def regime_change(rng):
    return minutes(14, lambda t: (400 + 600 * bell(t, 10, 2)) if t < 7 * DAY else (700 + 300 * bell(t, 20, 1)), rng)


def gaps(rng):
    points = minutes(10, lambda t: 200 + 800 * bell(t, 15, 1.5), rng)
    holes = [(rng.randrange(DAY, 10 * DAY), rng.randrange(10, 240) * MINUTE) for _ in range(12)]
    return [(t, r) for t, r in points if not any(a <= t < a + n for a, n in holes)]


def heavy_tail(rng):
    """Short bursts whose height is Pareto's, at random times over a flat load."""
    bursts = []
    t = 0.0
    while t < 7 * DAY:
        t += rng.expovariate(1 / (2 * HOUR))
        bursts.append((t, min(6.0, rng.paretovariate(1.7) - 1), rng.uniform(5, 30) * MINUTE))
    def rate(t):
        return 200 * (1 + sum(h * math.exp(-(t - a) / n) for a, h, n in bursts if a <= t < a + 6 * n))
    return minutes(7, rate, rng, 0.9, 0.04)


def batch_jobs(rng):
    """Every three hours a job starts, works off its queue and ends: a sawtooth on a small base."""
    def rate(t):
        into = t % (3 * HOUR)
        return 100 + (900 * (1 - into / (50 * MINUTE)) if into < 50 * MINUTE else 0)
    return minutes(7, rate, rng)


def growing(rng):
    return minutes(21, lambda t: (100 + 300 * bell(t, 13)) * 1.08 ** (t / DAY), rng)


def clock_shift(rng):
    """After a week everything comes an hour earlier, as when the clocks are changed."""
    return minutes(14, lambda t: 150 + 850 * bell(t + (HOUR if t >= 7 * DAY else 0), 9, 6), rng)


def jitter(rng):
    """The morning's rise comes up to 40 minutes early or late."""
    late = [rng.uniform(-40, 40) * MINUTE for _ in range(15)]
    return minutes(14, lambda t: 120 + 880 / (1 + math.exp(-((t - late[t // DAY]) % DAY - 8 * HOUR) / (6 * MINUTE))) * (1 if t % DAY < 20 * HOUR else 0.2), rng)


def quiet_nights(rng):
    return minutes(14, lambda t: 1000 * bell(t, 13, 4) + 0.5, rng, 0.9, 0.08)


def lunch_and_evening(rng):
    return minutes(14, lambda t: 300 + 500 * bell(t, 12.5, 30) + 700 * bell(t, 20.5, 12), rng)


def noisy(rng):
    return minutes(7, lambda t: 300 + 200 * bell(t, 16), rng, 0.6, 0.12)


def flash_crowds(rng):
    crowds = [rng.uniform(1, 10) * DAY for _ in range(8)]
    rate = lambda t: 200 + 150 * bell(t, 18) + sum(1200 * min(1, (t - a) / 120) * math.exp(-(t - a) / (20 * MINUTE)) for a in crowds if 0 <= t - a < 4 * HOUR)
    return minutes(10, rate, rng)


SHAPES = {f.__name__: f for f in (weekly_holidays, regime_change, gaps, heavy_tail, batch_jobs, growing, clock_shift, jitter, quiet_nights,
                                  lunch_and_evening, noisy, flash_crowds)}

if __name__ == "__main__":
    folder, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    os.makedirs(folder, exist_ok=True)
    for name, shape in SHAPES.items():
        with open(os.path.join(folder, name + ".csv"), "w") as f:
            f.write(f"# {name}, seed {seed}\n")
            f.writelines(f"{t},{r:.4f}\n" for t, r in shape(random.Random(f"{name} {seed}")))

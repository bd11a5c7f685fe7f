"""The time and FLOPs to a right answer of each embedded model and plan, on this machine.

    python benchmarks/newcomer.py [--model NAME ...] [--mbps 10]

Which model should somebody get who names none? For each model this loads the embedded engine (from
the converted model, as any run but the first does), measures tokens per second with 1, 4, 8 and
16 chains at once, and applies them to the recorded samples in ``docs/results`` (no model is asked a
question). A vote's time is that of its longest chain, while chains that end leave their share of
the machine to the others. *To a right answer* is the mean price of a question divided by the
accuracy. *First* counts the download at ``--mbps`` megabytes a second and loading as well.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import platform
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine import through
from ponder.experiments.stats import estimators, intervals
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.tuning import samples
from ponder.experiments.tuning.samples import Recorded
from ponder.models import catalog
from ponder.models.openvino import model as openvino
from ponder.models.openvino.machine import usable_cores

POOLS = Path(__file__).parents[1] / "docs" / "results"
SUITES = {"gsm8k": (1, 2, 4, 8, 16), "humaneval": (1,), "countdown": (1,)}
"""Votes that are looked at: of programs and of puzzles' expressions hardly two are equal."""
SIZES = {"qwen2.5-coder-0.5b": "0.5b", "qwen2.5-coder-1.5b": "1.5b", "smollm2-135m": "135m"}
COUNTS = (1, 4, 8, 16)
TOKENS, REPEAT, DRAWN = 64, 2, 50


@dataclass(frozen=True, slots=True)
class Speed:
    """A model on this machine."""

    load: float
    """Seconds from the start to the first token."""
    steps: Mapping[int, float]
    """Seconds in which every one of so many chains gets a token."""

    def step(self, chains: int) -> float:
        """Return that for any number of chains, between two measured ones linearly."""
        return float(np.interp(chains, list(self.steps), list(self.steps.values())))

    def vote(self, lengths: Sequence[float]) -> float:
        """Return the seconds of chains of these lengths that begin together."""
        seconds = before = 0.0
        for done, length in enumerate(sorted(lengths)):
            seconds += (length - before) * self.step(len(lengths) - done)
            before = length
        return seconds


async def speed(name: str) -> Speed:
    """Measure a model: medians of several rounds."""
    start = time.perf_counter()
    model = openvino.load(catalog.find(name).path, settings=openvino.Settings(cache_gb=1.0))
    run = through(model)
    await run(1, 1)
    load = time.perf_counter() - start
    steps = {}
    for n in COUNTS:
        rounds = []
        for _ in range(REPEAT):
            start = time.perf_counter()
            count = await run(n, TOKENS)
            rounds.append(n * (time.perf_counter() - start) / count)
        steps[n] = statistics.median(rounds)
    await model.close()
    return Speed(load, steps)


def accuracy(pool: Recorded, n: int) -> Floats:
    """Return the accuracy of a vote of n on each problem, over all subsets of its samples."""
    sizes = np.zeros(pool.right.shape, dtype=np.int64)
    for row, given in enumerate(pool.classes):
        sizes[row] = np.bincount(given[given >= 0], minlength=pool.right.shape[1])
    return estimators.majority(sizes, pool.right.astype(float), pool.samples, n)


def seconds(pool: Recorded, tokens: Floats, n: int, fast: Speed) -> float:
    """Return the mean seconds of a vote of n, over random subsets of each problem's samples."""
    rng = random.Random(0)
    votes = [fast.vote(rng.sample(lengths, n)) for lengths in tokens.tolist() for _ in range(DRAWN)]
    return statistics.fmean(votes)


def rows(suite: str, name: str, fast: Speed, mbps: float) -> None:
    """Print the rows of one model on one suite."""
    path = POOLS / f"{suite}-{SIZES[name]}.jsonl"
    [[pool], _], [[lengths], _] = samples.read([path], "flops"), samples.read([path], "tokens")
    once = fast.load + catalog.find(name).source.size / 1e6 / mbps
    for n in SUITES[suite]:
        if n > pool.samples:
            continue
        right = accuracy(pool, n)
        low, high = intervals.percentile(intervals.resampled_means(right[:, None], 0)[:, 0])
        mean, took = float(right.mean()), seconds(pool, lengths.each, n, fast)
        flops = float(pool.once.mean() + n * pool.each.mean())
        each = 1 / mean if mean else math.inf  # questions to a right answer
        print(
            f"| {suite} | {name} | {n} | {mean:.1%} ({low:.1%} to {high:.1%}) | {took:.1f} | "
            f"{took * each:.0f} | {flops * each / 1e12:.2f} | {once + took * each:.0f} |"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", action="append", choices=list(SIZES))
    parser.add_argument("--mbps", type=float, default=10.0, help="download, megabytes a second")
    chosen = parser.parse_args()
    names = chosen.model or list(SIZES)
    speeds = {name: asyncio.run(speed(name)) for name in names}
    print(f"{platform.machine()}, {usable_cores()} cores; medians of {REPEAT}\n")
    print(f"| model | loading s | {' | '.join(f'{n} at once, tok/s' for n in COUNTS)} |")
    print("| --- " * (len(COUNTS) + 2) + "|")
    for name, fast in speeds.items():
        rates = " | ".join(f"{n / step:.0f}" for n, step in fast.steps.items())
        print(f"| {name} | {fast.load:.1f} | {rates} |")
    print(
        "\n| problems | model | vote of | right (95 %) | seconds | to a right answer, s | TFLOPs | "
        f"first, s, at {chosen.mbps:g} MB/s |"
    )
    print("| --- " * 8 + "|")
    for suite in SUITES:
        for name in names:
            rows(suite, name, speeds[name], chosen.mbps)


if __name__ == "__main__":
    main()

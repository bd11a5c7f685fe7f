"""One budget over many problems, on published samples: samples allotted where they are expected to
gain most (``ponder batch``), against the same budget in equal shares.

    python benchmarks/allocation.py --data ../shared/data [--kept DIR] [--repeats 4]

What is reported for a benchmark and a model was fitted to the other models on the other benchmarks.
The budget is in generated tokens: 2, 4 or 8 mean samples per problem of that pool. The equal split
gives every problem as many samples, and, if the allotted run spent less, the last round of it to a
random part of the problems, so that both spend the same. ``all`` is one budget over the problems of
all benchmarks mixed, per model, with the fit to the other models' pools. Differences are paired by
problem, with 95 % intervals over problems, those of all models together, as they are the same.
'equal to' is the number of samples per problem with which the equal split is as accurate.
GSM8K is one small model, Qwen2.5-0.5B, and its fit is to all the other pools.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import stopping
from cascade import graded, interval, key
from ponder.core.outlook import Seen
from ponder.experiments.pools.importing import Foreign, Options
from ponder.experiments.pools.samples import Entry, Sample
from ponder.planning.difficulty import Graded, fit
from ponder.policies.allocation import Allocation
from ponder.policies.value import Mixture
from published import APART, Benchmark, Model, Published, by_meaning

SHARES = (2, 4, 8)
"""Mean samples per problem that the budget pays for."""
MOST = 64
"""Most samples of a problem."""
EVEN = (*range(1, 13), 14, 16, 20, 24, 32, 48, 64)
"""Numbers of samples per problem at which the equal split is looked at, for 'equal to'."""
GSM8K = Benchmark("GSM8K", (), "number")
SMALL = Model("Qwen2.5-0.5B", "", 500_000_000)


@dataclass(frozen=True)
class Case:
    """A problem with its samples, and the forecast that it is given."""

    name: str
    benchmark: str
    entry: Entry
    outlook: Mixture


@dataclass(frozen=True)
class Row:
    """The outcome per problem of one model, averaged over repeats."""

    names: list[str]
    ours: Any
    equal: Any
    ours_tokens: float
    equal_tokens: float
    decision: float
    """CPU milliseconds per sample that was allotted."""
    curve: Any
    """Accuracy of ``EVEN`` samples of every problem, as far as there are as many."""


def right(samples: Sequence[Sample]) -> float:
    """Return the probability that the vote is right, ties broken at random."""
    counts = Counter(key(sample) for sample in samples if key(sample))
    most = max(counts.values(), default=0)
    leaders = {name for name, count in counts.items() if count == most}
    good = {key(sample) for sample in samples if sample.correct and key(sample)}
    return len(leaders & good) / len(leaders) if leaders else 0.0


def seen(samples: Sequence[Sample]) -> Seen:
    counts = Counter(key(sample) for sample in samples if key(sample))
    return Seen(tuple(sorted(counts.values(), reverse=True)), len(samples) - counts.total())


def tokens(samples: Sequence[Sample]) -> float:
    return float(sum(sample.tokens or 0 for sample in samples))


def most(piles: Sequence[Sequence[Sample]]) -> int:
    """Return the most samples that a problem may get."""
    return min(MOST, *map(len, piles))


def allotted(
    piles: Sequence[Sequence[Sample]],
    outlooks: Sequence[Mixture],
    budget: float,
    usual: float,
    at_once: int,
) -> tuple[list[int], int, float]:
    """Return the samples of each problem, the samples in all, and the CPU seconds of deciding."""
    began, elapsed = time.process_time(), 0.0
    allocation = Allocation(outlooks, [usual] * len(piles), most(piles))
    got, spent = [0] * len(piles), 0.0
    while spent < budget and (coming := allocation.wave(at_once)):
        for i, more in coming:
            for sample in piles[i][got[i] : got[i] + more]:
                if spent < budget:
                    got[i] += 1
                    spent += sample.tokens or 0
        elapsed = time.process_time() - began
        for i, _ in coming:
            price = (usual + tokens(piles[i][: got[i]])) / (1 + got[i])
            allocation.learn(i, seen(piles[i][: got[i]]), max(1.0, price))
    return got, sum(got), elapsed


def evenly(piles: Sequence[Sequence[Sample]], budget: float, rng: random.Random) -> list[int]:
    """Return the samples of each problem, a round for all after another, until it is spent."""
    got, spent = [0] * len(piles), 0.0
    while min(got) < most(piles):
        for i in rng.sample(range(len(piles)), len(piles)):
            if spent >= budget:
                return got
            spent += piles[i][got[i]].tokens or 0
            got[i] += 1
    return got


def small(data: Path) -> list[Entry]:
    """Return the samples of a small model on GSM8K, graded."""
    source = Foreign(data / stopping.GSM8K, "map", Options(stopping.MAPS["gsm8k"], "number"))
    return asyncio.run(by_meaning(list(source)))


def compared(cases: Sequence[Case], share: int, repeats: int, at_once: int) -> Row:
    rng = random.Random(share)
    usual = float(np.mean([s.tokens or 0 for c in cases for s in c.entry.samples]))
    budget = share * usual * len(cases)
    ours, equal = np.zeros((2, len(cases)))
    sizes = [k for k in EVEN if k <= most([case.entry.samples for case in cases])]
    curve = np.zeros(len(sizes))
    paid, paid_equal, samples, seconds = 0.0, 0.0, 0, 0.0
    for _ in range(repeats):
        piles = [rng.sample(case.entry.samples, len(case.entry.samples)) for case in cases]
        outlooks = [case.outlook for case in cases]
        got, count, elapsed = allotted(piles, outlooks, budget, usual, at_once)
        spent = sum(tokens(pile[:k]) for pile, k in zip(piles, got, strict=True))
        even = evenly(piles, spent, rng)
        ours += [right(pile[:k]) for pile, k in zip(piles, got, strict=True)]
        equal += [right(pile[:k]) for pile, k in zip(piles, even, strict=True)]
        curve += [np.mean([right(pile[:k]) for pile in piles]) for k in sizes]
        paid += spent
        paid_equal += sum(tokens(pile[:k]) for pile, k in zip(piles, even, strict=True))
        samples += count
        seconds += elapsed
    names = [case.name for case in cases]
    whole = repeats * budget
    return Row(
        names, ours / repeats, equal / repeats, paid / whole, paid_equal / whole,
        1e3 * seconds / samples, curve / repeats,
    )  # fmt: skip


def report(name: str, share: int, rows: Sequence[Row]) -> None:
    """Print the mean over models, with an interval over problems."""
    by: dict[str, list[float]] = {}
    for row in rows:
        for problem, gained in zip(row.names, row.ours - row.equal, strict=True):
            by.setdefault(problem, []).append(gained)
    gained = np.array([np.mean(one) for one in by.values()])
    low, high = interval(gained)
    ours = 100 * float(np.mean([row.ours.mean() for row in rows]))
    equal = 100 * float(np.mean([row.equal.mean() for row in rows]))
    curve = 100 * np.mean([row.curve for row in rows], axis=0)
    reached = np.nonzero(curve >= ours)[0]
    same = f"{EVEN[reached[0]]}" if len(reached) else f"over {EVEN[len(curve) - 1]}"
    each = " ".join(f"{100 * float((row.ours - row.equal).mean()):+.1f}" for row in rows)
    relative = f"{100 * (ours / equal - 1):+.1f} %"
    cells = (name, str(share), f"{equal:.1f} %", f"{ours:.1f} %",
             f"{ours - equal:+.1f} ({low:+.1f} to {high:+.1f})", relative, same,
             f"{np.mean([row.ours_tokens for row in rows]):.2f}",
             each, f"{np.mean([row.decision for row in rows]):.2f} ms")  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("PONDER_DATA", "../shared/data")
    )
    parser.add_argument("--kept", type=Path, help="keep graded pools here")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--at-once", type=int, default=8, help="samples decided on together")
    parser.add_argument("--only", help="one benchmark, or all for the mix")
    options = parser.parse_args()
    samples = Published(Path(options.data), options.kept)
    entries = {(b, m): samples.entries(b, m) for b in APART for m in samples.models(b)}
    entries[GSM8K, SMALL] = small(Path(options.data))
    tallies = {(b, m): graded(b, m, found) for (b, m), found in entries.items()}
    models = list(dict.fromkeys(model for _, model in entries))

    def cases(benchmark: Benchmark, model: Model, pools: Sequence[Graded]) -> list[Case]:
        outlook = fit(pools, "held out").outlook(benchmark.answer_type)
        return [
            Case(f"{benchmark.name}/{e.problem_id}", benchmark.name, e, outlook)
            for e in entries[benchmark, model]
        ]

    head = ("problems", "samples", "equal", "allotted", "difference (95 %)", "relative", "equal to",
            "of the budget", "by model", "a sample's decision")  # fmt: skip
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for benchmark in (*APART, GSM8K):
        if options.only not in (None, benchmark.name):
            continue
        there = [model for model in models if (benchmark, model) in entries]
        sets = [
            cases(benchmark, m, [t for (b, o), t in tallies.items() if b != benchmark and o != m])
            for m in there
        ]
        for share in SHARES:
            rows = [compared(one, share, options.repeats, options.at_once) for one in sets]
            report(benchmark.name, share, rows)
    mixed = []
    for model in models if options.only in (None, "all") else ():
        if all((benchmark, model) in entries for benchmark in APART):
            others = [t for (_, other), t in tallies.items() if other != model]
            mixed.append([case for b in APART for case in cases(b, model, others)])
    for share in SHARES if mixed else ():
        report(
            "all", share, [compared(one, share, options.repeats, options.at_once) for one in mixed]
        )


if __name__ == "__main__":
    main()

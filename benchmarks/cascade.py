"""Effort ``auto`` over published samples of models of several sizes: a cascade against every fixed
plan (a model and a number of votes) at equal FLOPs.

    python benchmarks/cascade.py --data ../shared/data [--kept DIR] [--only AIME24] [--repeats 8]
    python benchmarks/cascade.py --data ../shared/data --fit src/ponder/planning/climbing.json

What is reported on a benchmark was fitted to the other benchmarks. The cascade is ``Ladder`` and
``choose``, as the strategy ``auto`` uses them; its worth is varied to draw the curve. FLOPs are 2 x
parameters x generated tokens. Differences are paired by problem, with intervals over problems.
``--fit`` writes what the package ships, fitted to all benchmarks.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.answers.equivalence import quick_key
from ponder.experiments.pools.samples import Entry, Sample
from ponder.planning.climbing import Climbs, Pair, fit
from ponder.planning.difficulty import Graded, Tally
from ponder.policies.climb import Climb
from ponder.policies.ladder import EMPTY, Ballots, Option, choose
from published import APART, Benchmark, Model, Published

SIZES = (1, 2, 4, 8)
LADDER = ("Nemotron-9B", "Phi-4-r-14.7B", "EXAONE-32B")
"""The models that are there for all benchmarks, from cheap to dear."""
WORTHS = (5_000, 10_000, 20_000, 40_000, 80_000)
"""Worth of a right answer in TFLOPs."""
VOTES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
MOST = 64
"""Most samples of a rung."""
DRAWS = 200
"""Random subsets for a fixed vote."""


def key(sample: Sample) -> str | None:
    """Return what the sample's answer means; it was named only where answers differ."""
    if sample.key or not sample.answer:
        return sample.key or None
    return quick_key(sample.answer, "math") or sample.answer


def graded(benchmark: Benchmark, model: Model, entries: Sequence[Entry]) -> Graded:
    found = []
    for entry in entries:
        answered = [sample for sample in entry.samples if key(sample)]
        right = sum(bool(sample.correct) for sample in answered)
        wrong = Counter(key(sample) for sample in answered if not sample.correct)
        silent = len(entry.samples) - len(answered)
        found.append(Tally(right, tuple(sorted(wrong.values(), reverse=True)), silent))
    return Graded(benchmark.name, model.name, benchmark.answer_type, tuple(found))


def alike(lower: Sequence[Entry], upper: Sequence[Entry]) -> float:
    """Return the probability that two mistakes, one of each model, are the same."""
    same = pairs = 0
    for one, other in zip(lower, upper, strict=True):
        below = Counter(key(s) for s in one.samples if key(s) and not s.correct)
        above = Counter(key(s) for s in other.samples if key(s) and not s.correct)
        same += sum(count * above[name] for name, count in below.items())
        pairs += below.total() * above.total()
    return same / pairs if pairs else 0.3


def cost(entries: Sequence[Entry], model: Model) -> float:
    """Return the mean TFLOPs of a sample."""
    tokens = [sample.tokens or 0 for entry in entries for sample in entry.samples]
    return 2 * model.parameters * float(np.mean(tokens)) / 1e12


def fitted(samples: Published, benchmarks: Sequence[Benchmark], made: str) -> Climbs:
    pools, pairs = [], []
    for benchmark in benchmarks:
        there = samples.models(benchmark)
        entries = {model: samples.entries(benchmark, model) for model in there}
        tallies = {model: graded(benchmark, model, entries[model]) for model in there}
        pools += list(tallies.values())
        ranked = sorted(there, key=lambda model: cost(entries[model], model))
        for place, lower in enumerate(ranked):
            for upper in ranked[place + 1 :]:
                common = alike(entries[lower], entries[upper])
                pairs.append(Pair(tallies[lower], tallies[upper], common))
    return fit(pools, pairs, made)


@dataclass(frozen=True)
class Curve:
    """What a plan reaches on each problem."""

    right: Any
    tflops: Any


@dataclass(frozen=True)
class Plan:
    """A fixed plan: a model and a number of votes."""

    name: str
    curve: Curve

    @property
    def right(self) -> float:
        return float(self.curve.right.mean())

    @property
    def tflops(self) -> float:
        return float(self.curve.tflops.mean())


def fixed(entries: Sequence[Entry], model: Model, votes: int) -> Curve:
    rng = random.Random(votes)
    rights, costs = [], []
    for entry in entries:
        right = 0.0
        for _ in range(DRAWS):
            drawn = rng.sample(entry.samples, votes)
            counts = Counter(key(sample) for sample in drawn if key(sample))
            most = max(counts.values(), default=0)
            leaders = {name for name, count in counts.items() if count == most}
            good = {key(sample) for sample in drawn if sample.correct}
            right += len(leaders & good) / len(leaders) if leaders else 0.0
        rights.append(right / DRAWS)
        costs.append(votes * cost([entry], model))
    return Curve(np.array(rights), np.array(costs))


class Table:
    """One problem: the piles of samples of each rung, and what was drawn of them."""

    def __init__(self, rows: Sequence[Entry], models: Sequence[Model], rng: random.Random) -> None:
        self.models = models
        self.piles = [rng.sample(row.samples, len(row.samples)) for row in rows]
        self.good = {key(s) for row in rows for s in row.samples if s.correct}
        self.tallies: list[Ballots] = [EMPTY] * len(models)
        self.spent = [0.0] * len(models)

    def take(self, rung: int, many: int) -> None:
        start = self.tallies[rung].samples
        got = self.piles[rung][start : start + many]
        tokens = sum(sample.tokens or 0 for sample in got)
        self.spent[rung] += 2 * self.models[rung].parameters * tokens / 1e12
        self.tallies[rung] = self.tallies[rung].plus(map(key, got))

    def prices(self, usual: Sequence[float]) -> dict[tuple[int, int], float]:
        found = {}
        for rung, tally in enumerate(self.tallies):
            each = (usual[rung] + self.spent[rung]) / (1 + tally.samples)
            for size in SIZES:
                if tally.samples + size <= MOST:
                    found[rung, size] = each * size
        return found


def cascade(
    decks: Sequence[Sequence[Entry]],
    models: Sequence[Model],
    climb: Climb,
    worth: float,
    repeats: int,
) -> tuple[Curve, float]:
    """Return the curve, and the CPU milliseconds of a decision."""
    ladder = climb.ladder(len(models))
    usual = [cost(entries, model) for entries, model in zip(decks, models, strict=True)]
    rng, decisions, began = random.Random(1), 0, time.process_time()
    rights, costs = [], []
    for rows in zip(*decks, strict=True):
        right = spent = 0.0
        for _ in range(repeats):
            table = Table(rows, models, rng)
            option: Option | None = Option(0, 1, 0.0, 0.0)
            while option is not None:
                table.take(option.rung, option.samples)
                option = choose(ladder.posterior(table.tallies).options(table.prices(usual)), worth)
                decisions += 1
            answer = next(iter(ladder.posterior(table.tallies).beliefs), None)
            right += answer in table.good
            spent += sum(table.spent)
        rights.append(right / repeats)
        costs.append(spent / repeats)
    elapsed = (time.process_time() - began) * 1e3 / max(1, decisions)
    return Curve(np.array(rights), np.array(costs)), elapsed


def interval(difference: Any) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(difference), (4000, len(difference)))
    low, high = np.quantile(difference[drawn].mean(axis=1), [0.025, 0.975])
    return 100 * float(low), 100 * float(high)


def compare(samples: Published, benchmark: Benchmark, repeats: int) -> None:
    others = [one for one in APART if one.name != benchmark.name]
    climbs = fitted(samples, others, "")
    there = {model.name: model for model in samples.models(benchmark)}
    plans = [
        Plan(f"{model.name} x {votes}", fixed(samples.entries(benchmark, model), model, votes))
        for model in there.values()
        for votes in VOTES
    ]
    chosen = [there[name] for name in LADDER]
    decks = [samples.entries(benchmark, model) for model in chosen]
    print(f"\n## {benchmark.name}, {len(decks[0])} problems: {' then '.join(LADDER)}")
    head = ("worth", "TFLOPs", "right", "best fixed plan for no more", "difference (95 %)",
            "cheapest fixed plan as good", "a decision")  # fmt: skip
    print(f"\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    climb = climbs.climb(benchmark.answer_type)
    for worth in WORTHS:
        curve, elapsed = cascade(decks, chosen, climb, worth, repeats)
        spent, right = float(curve.tflops.mean()), float(curve.right.mean())
        within = [plan for plan in plans if plan.tflops <= spent] or plans[:1]
        best = max(within, key=lambda plan: plan.right)
        low, high = interval(curve.right - best.curve.right)
        equals = [plan for plan in plans if plan.right >= right]
        cheapest = min(equals, key=lambda plan: plan.tflops, default=None)
        other = "none"
        if cheapest is not None:
            other = f"{cheapest.name}, {spent / cheapest.tflops:.2f} of its FLOPs"
        cells = (f"{worth:,}", f"{spent:,.0f}", f"{100 * right:.1f} %",
                 f"{best.name}, {100 * best.right:.1f} %",
                 f"{100 * (right - best.right):+.1f} ({low:+.1f} to {high:+.1f})", other,
                 f"{elapsed:.1f} ms")  # fmt: skip
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("PONDER_DATA", "../shared/data")
    )
    parser.add_argument("--kept", type=Path, help="keep graded pools here")
    parser.add_argument("--only", help="one benchmark")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--fit", type=Path, help="write the fit to all benchmarks here")
    options = parser.parse_args()
    samples = Published(Path(options.data), options.kept)
    if options.fit:
        climbs = fitted(samples, APART, datetime.date.today().isoformat())
        options.fit.write_text(json.dumps(climbs.to_json(), indent=1) + "\n")
        return
    for benchmark in APART:
        if options.only in (None, benchmark.name):
            compare(samples, benchmark, options.repeats)


if __name__ == "__main__":
    main()

"""The claims of the field at equal seconds on a machine of one's own, beside equal FLOPs.

    python benchmarks/seconds.py {vote,matched} [--data DIR] [--kept DIR] [--only AIME24,...]

Prints Markdown, as ``claims.py`` does, from the same published samples. They state no seconds, so
these follow from the embedded engine's throughput (``models/openvino/model.py``), measured by
``engine.py`` on a model of half a billion parameters and *assumed* for all: a chain alone takes
seconds per token in proportion to the parameters, each further chain adds 1/15 of that while it is
written, 32 are written at once, and a vote waits for its longest chain. ``vote``: what a vote
costs. ``matched``: a smaller model that votes against a larger one, at equal seconds and FLOPs.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from claims import LARGE_NS, around, head, points, row, tally
from ponder.experiments.report.matched import Match, match
from ponder.experiments.report.table import Table
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.stats.series import Point, Series
from ponder.models.base import Pace
from ponder.models.openvino.model import AT_ONCE, EACH, SECONDS
from published import APART, Benchmark, Model, Published

VOTES = (2, 4, 8, 16, 32, 64)
SAME = 1e-9
"""Relative excess below which a time is within the budget."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The tokens of all samples, (problems, samples), each row in ascending order."""

    tokens: Floats

    @property
    def most(self) -> int:
        return int(self.tokens.shape[1])

    def longest(self, n: int) -> float:
        """Return the mean tokens of the longest of n samples, over all subsets and problems."""
        ways = [math.comb(i, n - 1) / math.comb(self.most, n) for i in range(self.most)]
        return float((self.tokens * np.array(ways)).sum(axis=1).mean())

    def seconds(self, n: int, pace: Pace) -> float:
        """Return the mean time of n chains that are written at once, as far as the pace allows.

        While k chains are written, a token of each takes ``1 + (k - 1) each`` of the time of one.
        So a round takes the time of its longest chain, and ``each`` of that of all others.
        """
        rounds, rest = divmod(n, pace.at_once)
        sizes = [pace.at_once] * rounds + [rest] * bool(rest)
        every = n * float(self.tokens.mean())
        alone = sum(map(self.longest, sizes))
        return pace.seconds * ((1 - pace.each) * alone + pace.each * every)


def pace_of(model: Model) -> Pace:
    return Pace(SECONDS * model.parameters, EACH, AT_ONCE)


def lengths(samples: Published, benchmark: Benchmark, model: Model) -> Lengths:
    entries = samples.entries(benchmark, model)
    fewest = min(len(entry.samples) for entry in entries)
    rows = [[sample.tokens or 0 for sample in entry.samples[:fewest]] for entry in entries]
    return Lengths(np.sort(np.array(rows, dtype=np.float64), axis=1))


# What a vote costs --------------------------------------------------------------------------------


def vote(samples: Published, among: Sequence[Benchmark]) -> None:
    """What a vote takes, in samples' worth of the same model."""
    head("benchmark", "model", "one: seconds", *(f"vote of {n}" for n in VOTES))
    for benchmark in among:
        for model in samples.models(benchmark):
            own, pace = lengths(samples, benchmark, model), pace_of(model)
            one = own.seconds(1, pace)
            times = [f"{own.seconds(n, pace) / one:.1f}" for n in VOTES]
            row(benchmark.name, model.name, f"{one:,.0f}", *times)


# Small against large ------------------------------------------------------------------------------


def bought(times: Sequence[float], budget: float) -> int:
    """Return the most samples within the budget; ``times`` are those of 1, 2, ... samples."""
    return max((n for n, time in enumerate(times, 1) if time <= budget * (1 + SAME)), default=0)


def pairs(samples: Published, benchmark: Benchmark) -> Table:
    """The votes of all models of one benchmark, at every number of samples that a budget buys."""
    models = samples.models(benchmark)
    flops, seconds = {}, {}
    for model in models:
        own, pace = lengths(samples, benchmark, model), pace_of(model)
        each = samples.columns(benchmark, model).cost(1)["flops"]
        flops[model.name] = [n * each for n in range(1, own.most + 1)]
        seconds[model.name] = [own.seconds(n, pace) for n in range(1, own.most + 1)]
    series = []
    for model in models:
        sizes = {1, *LARGE_NS}
        for other, n in itertools.product(models, LARGE_NS):
            for costs in (flops, seconds):
                sizes.add(bought(costs[model.name], costs[other.name][n - 1]))
        known = samples.series(benchmark, model, "majority", sorted(sizes - {0}))
        series.append(timed(known, seconds[model.name]))
    return Table(series, [model.name for model in models])


def timed(series: Series, seconds: Sequence[float]) -> Series:
    """Return the series with the seconds of each point beside its FLOPs."""
    given = tuple(
        Point(p.n, p.values, {**p.cost, "seconds": seconds[p.n - 1]}) for p in series.points
    )
    return Series(series.suite, series.model, series.method, series.parameters,
                  series.problem_ids, series.levels, given, series.source)  # fmt: skip


def matched(samples: Published, among: Sequence[Benchmark]) -> None:
    """Every pair at the FLOPs and at the seconds of one sample of the larger, then of its votes."""
    head("benchmark", "smaller / larger", "larger, one", "N at equal FLOPs", "vote minus it",
         "N at equal seconds", "vote minus it")  # fmt: skip
    found: dict[tuple[str, str, int], list[Match]] = {}
    for benchmark in among:
        table = pairs(samples, benchmark)
        for small, large in itertools.combinations(range(len(table.series)), 2):
            cells: list[object] = []
            for n, unit in itertools.product(LARGE_NS, ("flops", "seconds")):
                m = match(table, small, large, math.inf, large_n=n, unit=unit)
                assert m is not None
                found.setdefault((unit, benchmark.name, n), []).append(m)
                if n == 1:
                    cells += [m.n or "too dear", told(m)]
            one = next(i for i in table.columns(large) if table.configs[i].n == 1)
            names = f"{table.series[small].model} / {table.series[large].model}"
            row(benchmark.name, names, points(table.values[:, one].mean()), *cells)
    for unit, name in (("flops", "FLOPs"), ("seconds", "seconds")):
        head(f"at equal {name}, wins / undecided / loses against a vote of", *map(str, LARGE_NS))
        for benchmark in among:
            row(f"{benchmark.name}, {name}",
                *(tally(found[unit, benchmark.name, n]) for n in LARGE_NS))  # fmt: skip


def told(m: Match) -> str:
    if m.gap is None:
        return ""
    verdict = {"thinking": " **wins**", "parameters": " loses"}.get(m.verdict, "")
    return around(m.gap.difference, m.gap.low, m.gap.high, signed=True) + verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["vote", "matched"])
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PONDER_DATA", beside)))
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    only = [name for name in asked.only.split(",") if name]
    among = [b for b in APART if not only or b.name in only]
    {"vote": vote, "matched": matched}[asked.command](Published(asked.data, asked.kept), among)


if __name__ == "__main__":
    main()

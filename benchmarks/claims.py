"""The claims of the field, on published samples of reasoning models: tables in docs/results.md.

    python benchmarks/claims.py {facts,vote,limit,threshold,matched,difficulty,picture}
                                [--data DIR] [--kept DIR] [--only AIME24,...] [-o FILE]

Prints Markdown; accuracies and differences in points, with 95 % intervals over problems
(bootstrap, paired). ``facts``: the samples. ``vote``: what each doubling of samples buys.
``limit``: the vote of infinitely many. ``threshold``: what a vote does where one sample is seldom
right. ``matched``: a smaller model that votes against a larger one, at equal FLOPs; ``difficulty``:
the same by how hard the problems are. ``picture`` draws accuracy against FLOPs on AIME. ``--kept``
keeps the graded samples as pools.
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

from ponder.experiments.report import charts, figures
from ponder.experiments.report.findings import findings
from ponder.experiments.report.matched import Match, match
from ponder.experiments.report.table import ONE_SAMPLE, Table
from ponder.experiments.stats import estimators, fits, intervals
from ponder.experiments.stats.columns import Group
from ponder.experiments.stats.doublings import doublings, flat_from
from ponder.experiments.stats.estimators import Floats, Ints
from ponder.experiments.stats.limits import SETTLED, right_at_infinity
from published import (
    AIME,
    APART,
    JOINED,
    Benchmark,
    Model,
    Published,
    finished,
    longest,
    of_finished,
)

SIZES = tuple(2**i for i in range(7))
VOTES = SIZES[1:]
"""A vote of two is no better than one sample, so the curve of a vote begins at two."""
LARGE_NS = (1, 2, 4, 8, 16)
FIFTHS = 5
APART_IN_SIZE = 1.5
"""Least ratio of parameters of a pair in the tables by difficulty and by ratio."""
EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.999)
"""Upper ends of the bins of one sample's accuracy; above the last, all samples are right."""


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |")


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def percent(value: float) -> float:
    """Without the last bits, which depend on the order of summation."""
    return round(100 * value, 9)


def points(value: float) -> str:
    return f"{percent(value):.1f}"


def around(value: float, low: float, high: float, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    value, low, high = percent(value), percent(low), percent(high)
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})".replace("-0.0", "0.0")


def facts(samples: Published, among: Sequence[Benchmark]) -> None:
    """The samples, and how many of them their limit of tokens ended."""
    head("benchmark", "model", "problems x samples", "tokens", "FLOPs", "limit", "at the limit",
         "no answer", "one", "one that ended")  # fmt: skip
    for benchmark in among:
        for model in samples.models(benchmark):
            entries, held = samples.entries(benchmark, model), samples.columns(benchmark, model)
            most = longest(entries)
            every = [sample for entry in entries for sample in entry.samples]
            cut = 1 - sum(len(finished(entry, most)) for entry in entries) / len(every)
            silent = sum(sample.answer is None for sample in every) / len(every)
            right = sum(bool(sample.correct) for sample in every) / len(every)
            row(benchmark.name, model.name, f"{len(entries)} x {held.fewest}",
                f"{held.cost(1)['tokens']:,.0f}", f"{held.cost(1)['flops']:.2e}", f"{most:,.0f}",
                f"{100 * cut:.1f} %", f"{100 * silent:.1f} %", points(right),
                points(float(of_finished(entries).mean())))  # fmt: skip


# A vote against the log of compute ----------------------------------------------------------------


def vote(samples: Published, among: Sequence[Benchmark]) -> None:
    """Slopes, bends and the end of the gains, of votes and of coverage."""
    head("benchmark", "model", "one", "vote of 64", "a doubling", "bends", "flat from",
         "any of 64", "a doubling", "bends")  # fmt: skip
    gains: dict[tuple[str, str], Floats] = {}
    for benchmark in among:
        for model in samples.models(benchmark):
            cells: list[object] = [benchmark.name, model.name]
            for how, sizes in (("majority", VOTES), ("coverage", SIZES)):
                values, flops = samples.curve(benchmark, model, how, SIZES)
                means = intervals.resampled_means(values, seed=0)
                used = [SIZES.index(n) for n in sizes]
                x, y, drawn = np.array(flops)[used], values[:, used], means[:, used]
                line, bent = fits.log_linear(x, y, drawn), fits.plateau(x, y, drawn)
                assert isinstance(line, fits.Line)
                assert isinstance(bent, fits.Plateau)
                most = points(values[:, -1].mean())
                cells += [points(values[:, 0].mean()), most] if how == "majority" else [most]
                cells += [around(line.slope, line.low, line.high), bent.bend]
                if how == "majority":
                    cells.append(flat_from(doublings(SIZES, values, means)) or "above 64")
                key = how, benchmark.name
                gains[key] = gains.get(key, np.zeros(())) + values / len(samples.models(benchmark))
            row(*cells)
    steps = [f"{n} to {2 * n}" for n in SIZES[:-1]]
    head("gain of a doubling, mean of the models", *steps)
    for (how, name), values in sorted(gains.items(), reverse=True):
        found = doublings(SIZES, values, intervals.resampled_means(values, seed=0))
        shown = [f"{100 * d.gain.difference:.1f} ± {half(d.gain.low, d.gain.high)}" for d in found]
        row(f"{'vote' if how == 'majority' else 'coverage'}, {name}", *shown)


def half(low: float, high: float) -> str:
    """Half of the interval's length."""
    return f"{50 * (high - low):.1f}"


# The vote of infinitely many samples --------------------------------------------------------------


def limit(samples: Published, among: Sequence[Benchmark]) -> None:
    """Where the vote converges, and on how many problems the samples settle that."""
    head("benchmark", "model", "problems", "one", "4", "16", "64", "infinitely many",
         "right / open / wrong")  # fmt: skip
    for benchmark in among:
        for model in samples.models(benchmark):
            held = samples.columns(benchmark, model)
            values, _ = samples.curve(benchmark, model, "majority", (1, 4, 16, 64))
            [group] = held.groups
            ends = right_at_infinity(group.sizes, group.right)[:, None]
            low, high = intervals.percentile(intervals.resampled_means(ends, seed=0))
            right, wrong = int((ends >= SETTLED).sum()), int((ends <= 1 - SETTLED).sum())
            row(benchmark.name, model.name, held.problems, *map(points, values.mean(axis=0)),
                around(float(ends.mean()), low, high),
                f"{right} / {held.problems - right - wrong} / {wrong}")  # fmt: skip


def threshold(samples: Published, among: Sequence[Benchmark]) -> None:
    """What more samples do by the accuracy of one, which other samples of the same model tell.

    One half of a model's samples says in which bin a problem is, the other what becomes of it.
    """
    head("benchmark", "right in its other samples", "cases", "one", "vote of 32",
         "vote minus one", "any of 32", "limit")  # fmt: skip
    for benchmark in among:
        cells: dict[int, list[Floats]] = {}
        for model in samples.models(benchmark):
            [group] = samples.columns(benchmark, model).groups
            halves = [np.arange(start, group.n, 2) for start in (0, 1)]
            for told, shown in (halves, halves[::-1]):
                rate = group.correct[:, told].mean(axis=1)
                sizes = counted(group, shown)
                n = len(shown)
                outcome = np.stack([
                    group.correct[:, shown].mean(axis=1),
                    estimators.majority(sizes, group.right, n, 32),
                    estimators.coverage(group.correct[:, shown], 32),
                    right_at_infinity(sizes, group.right),
                    np.ones(len(rate)),
                ], axis=1)  # fmt: skip
                for place in range(len(EDGES) + 1):
                    inside = np.searchsorted(EDGES, rate, side="left") == place
                    cells.setdefault(place, []).append(outcome * inside[:, None])
        for place, found in sorted(cells.items()):
            sums = np.sum(found, axis=0)
            count = sums[:, 4].sum() / 2  # each problem is there twice, once by each half
            if count < 5:
                continue
            one, voted, any_right, mode, _ = sums.mean(axis=0) / sums[:, 4].mean()
            low, high = ratio_interval(sums[:, 1] - sums[:, 0], sums[:, 4])
            row(benchmark.name, bin_name(place), f"{count:.0f}", points(one), points(voted),
                around(voted - one, low, high, signed=True), points(any_right),
                points(mode))  # fmt: skip


def counted(group: Group, columns: Ints) -> Ints:
    """The number of samples with each answer, of these samples alone."""
    classes = group.classes[:, columns]
    return np.stack([(classes == i).sum(axis=1) for i in range(group.sizes.shape[1])], axis=1)


def bin_name(place: int) -> str:
    if place == 0:
        return "never"
    if place == len(EDGES):
        return "always"
    top = "below 100" if place == len(EDGES) - 1 else f"to {100 * EDGES[place]:.0f}"
    return f"above {100 * EDGES[place - 1]:.0f} {top} %"


def ratio_interval(sums: Floats, counts: Floats) -> tuple[float, float]:
    """The interval of a mean over (problem, model) pairs, when problems are drawn anew."""
    drawn = intervals.resampled_means(np.stack([sums, counts], axis=1), seed=0)
    there = drawn[:, 1] > 0
    return intervals.percentile(drawn[there, 0] / drawn[there, 1])


# Small against large ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pairs:
    """The votes of all models of one benchmark, at every number of samples that a budget buys."""

    table: Table
    models: tuple[Model, ...]
    most: dict[str, int]
    """Recorded samples of a problem."""

    def match(self, small: int, large: int, large_n: int) -> Match | None:
        """None where more samples would be bought than were recorded."""
        found = match(self.table, small, large, math.inf, large_n=large_n)
        assert found is not None
        most = self.most[found.small]
        return found if found.n < most or found.unused * most < most + 1 else None

    def value(self, small: int, n: int) -> Floats:
        [column] = [i for i in self.table.columns(small) if self.table.configs[i].n == n]
        return self.table.values[:, column]


def pairs(samples: Published, benchmark: Benchmark) -> Pairs:
    models = samples.models(benchmark)
    held = {m.name: samples.columns(benchmark, m) for m in models}
    each = {name: columns.cost(1)["flops"] for name, columns in held.items()}
    most = {name: columns.fewest for name, columns in held.items()}
    series = []
    for model in models:
        bought = {1, *LARGE_NS}
        for other, n in itertools.product(models, LARGE_NS):
            # Rounding may hide a whole number: the comparison itself decides which one fits.
            bought |= {int(n * each[other.name] / each[model.name]) + i for i in (-1, 0, 1)}
        sizes = sorted(n for n in bought if 1 <= n <= most[model.name])
        series.append(samples.series(benchmark, model, "majority", sizes))
    return Pairs(Table(series, [m.name for m in models]), tuple(models), most)


def matched(samples: Published, among: Sequence[Benchmark]) -> None:
    """Every pair at the FLOPs of one sample of the larger, then of its votes."""
    head("benchmark", "smaller / larger", "times", "N", "one / vote of N", "larger, one",
         "vote minus larger's one", "")  # fmt: skip
    found: dict[tuple[str, int], list[Match]] = {}
    for benchmark in among:
        held = pairs(samples, benchmark)
        for small, large in itertools.combinations(range(len(held.models)), 2):
            for n in LARGE_NS:
                m = held.match(small, large, n)
                if m is not None:
                    found.setdefault((benchmark.name, n), []).append(m)
                if m is None or n > 1:
                    continue
                names, times = f"{m.small} / {m.large}", f"{m.times:.1f}"
                ones = [held.value(i, 1) for i in (small, large)]
                if m.gap is None:
                    row(benchmark.name, names, times, 0, f"{points(ones[0].mean())} / -",
                        points(ones[1].mean()), "", "too dear")  # fmt: skip
                    continue
                reached = held.value(small, m.n)
                bound = reached - of_finished(samples.entries(benchmark, held.models[large]))
                least = intervals.percentile(intervals.resampled_means(bound[:, None], seed=0))[0]
                row(benchmark.name, names, times, m.n,
                    f"{points(ones[0].mean())} / {points(reached.mean())}", points(ones[1].mean()),
                    around(m.gap.difference, m.gap.low, m.gap.high, signed=True),
                    verdict(m, least > 0))  # fmt: skip
    head("wins / undecided / loses against a vote of", *map(str, LARGE_NS))
    for benchmark in among:
        row(benchmark.name, *(tally(found.get((benchmark.name, n), [])) for n in LARGE_NS))
    head("times the parameters", "smaller wins / undecided / loses, larger's one sample", "mean")
    for low, high in ((1.0, 1.5), (1.5, 3.0), (3.0, 5.0), (5.0, math.inf)):
        inside = [m for (_, n), ms in found.items() for m in ms if n == 1 and low <= m.times < high]
        gaps = [m.gap.difference for m in inside if m.gap]
        name = f"{low:g} to {high:g}" if high < math.inf else f"{low:g} to 8.2"
        row(name, tally(inside), f"{100 * float(np.mean(gaps)):+.1f}" if gaps else "")


def verdict(m: Match, without_limit: bool) -> str:
    """Bold if the win holds against the larger's samples that ended by themselves."""
    wins = "**wins**" if without_limit else "wins (limit)"
    return {"thinking": wins, "parameters": "loses"}.get(m.verdict, "")


def tally(found: Sequence[Match]) -> str:
    verdicts = [m.verdict for m in found if m.gap]
    counts = [verdicts.count(v) for v in ("thinking", "undecided", "parameters")]
    return " / ".join(map(str, counts)) if verdicts else "-"


def by_difficulty(samples: Published, among: Sequence[Benchmark]) -> None:
    """The same by fifths of the problems, as hard as all models outside of the pair find them."""
    head("benchmark", "problems", "pairs x problems", "larger, one", "smaller's one minus it",
         "smaller's vote minus it")  # fmt: skip
    for benchmark in among:
        held = pairs(samples, benchmark)
        alone = [held.value(i, 1) for i in range(len(held.models))]
        sums = np.zeros((FIFTHS, len(held.table.problem_ids), 4))
        for small, large in itertools.combinations(range(len(held.models)), 2):
            m = held.match(small, large, 1)
            others = [v for i, v in enumerate(alone) if i not in (small, large)]
            if m is None or m.gap is None or m.times < APART_IN_SIZE or not others:
                continue
            places = fifths(np.mean(others, axis=0))
            gaps = [alone[large], alone[small] - alone[large],
                    held.value(small, m.n) - alone[large], np.ones(len(places))]  # fmt: skip
            for place in range(FIFTHS):
                sums[place] += np.stack(gaps, axis=1) * (places == place)[:, None]
        for place, total in enumerate(sums):
            large_one, one, voted, _ = total.sum(axis=0) / total[:, 3].sum()
            ends = [ratio_interval(total[:, i], total[:, 3]) for i in (1, 2)]
            names = {0: "easiest fifth", FIFTHS - 1: "hardest fifth"}
            row(benchmark.name, names.get(place, place + 1), f"{total[:, 3].sum():.0f}",
                points(large_one), around(one, *ends[0], signed=True),
                around(voted, *ends[1], signed=True))  # fmt: skip


def fifths(rates: Floats) -> Ints:
    """The fifth of each problem, the easiest first; ties in the problems' order."""
    order = np.argsort(-np.round(rates, 12), kind="stable")
    found = np.empty(len(rates), dtype=np.int64)
    found[order] = np.arange(len(rates)) * FIFTHS // len(rates)
    return found


# The picture --------------------------------------------------------------------------------------


def picture(samples: Published, path: Path) -> None:
    """Accuracy against FLOPs on both years of AIME, every model."""
    series = []
    for model in samples.models(AIME):
        series.append(samples.series(AIME, model, ONE_SAMPLE, (1,)))
        series.append(samples.series(AIME, model, "majority", SIZES))
    [suite] = findings(series).suites
    text = figures.document(charts.accuracy(suite, "flops", wide=True))
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}: {len(text.encode()) / 1000:.0f} kB")


COMMANDS = {
    "facts": (facts, APART),
    "vote": (vote, APART),
    "limit": (limit, APART),
    "threshold": (threshold, JOINED),
    "matched": (matched, APART),
    "difficulty": (by_difficulty, JOINED),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, "picture"])
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PONDER_DATA", beside)))
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/pictures/vote.svg"))
    asked = parser.parse_args()
    samples = Published(asked.data, asked.kept)
    if asked.command == "picture":
        picture(samples, asked.output)
        return
    command, all_of_them = COMMANDS[asked.command]
    only = [name for name in asked.only.split(",") if name]
    command(samples, [b for b in all_of_them if not only or b.name in only])


if __name__ == "__main__":
    main()

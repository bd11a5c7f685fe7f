"""The tables of the study in docs/results.md, from the compact pools beside it.

    python benchmarks/study.py [docs/results]

Prints Markdown. First, for each pool, what one sample, the vote and a perfect choice reach at every
N, what that costs, and the paired difference of the largest vote to one sample. Then, for each pool
whose samples were verified, what choosing by each verifier reaches, at what cost, its paired
difference to the vote, and how well its scores tell right from wrong. Needs no model and no data.
How the pools were recorded is in docs/results.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ponder.experiments.pools.file import Pool
from ponder.experiments.report import load as series_of
from ponder.experiments.report.matched import match
from ponder.experiments.report.table import Table
from ponder.experiments.stats import columns, costs, scoring
from ponder.experiments.stats.scoring import Aggregator
from ponder.experiments.training.metrics import Figure, measure

SUITES = {
    "gsm8k": "GSM8K",
    "humaneval": "HumanEval",
    "countdown": "Countdown",
    "gym": "GSM-Symbolic of reasoning-gym: fresh problems",
}
ORDER = ("135m", "0.5b", "1.5b")
SIZES = {"gsm8k": [8], "humaneval": [8], "countdown": [1, 4, 16]}
"""The numbers of samples at which verifiers are compared."""
BY = [Aggregator("majority"), Aggregator("weighted", "mean_logprob")]
RECORDED = ("mean_logprob", "lowest_group")
"""The scores that come with a recording."""
BESIDE = ("learned", "codet")
"""Scores that were given to a sample beside seven others: with fewer they would be others."""
NAMES = {
    "random": "one sample",
    "majority": "majority",
    "weighted:mean_logprob": "vote weighted by confidence",
    "coverage": "coverage (ceiling)",
}


def main(folder: Path) -> None:
    for suite, title in SUITES.items():
        paths = [folder / f"{suite}-{size}.jsonl" for size in ORDER]
        found = [path for path in paths if path.exists()]
        if not found:
            continue
        print(f"\n**{title}**\n")
        print("| model | N | one sample | majority | weighted by confidence | coverage | FLOPs |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        notes = [table(path) for path in found]
        print()
        print("\n".join(f"- {note}" for note in notes))
    for suite, title in SUITES.items():
        pools = [Pool(path) for path in sorted(folder.glob(f"{suite}-*.jsonl"))]
        read = [(p, columns.read(p, shape=costs.shape_of(p.header))) for p in pools]
        checked = [(p, held) for p, held in read if said(held) and held.any_right]
        if checked:
            print(f"\n**{title}, with verifiers**\n")
            print("| model | N | chosen by | accuracy | minus majority | tokens | FLOPs |")
            print("| --- | --- | --- | --- | --- | --- | --- |")
            for pool, held in checked:
                verified(pool, held, SIZES[suite])
            print()
            names = dict.fromkeys(name for _, held in checked for name in said(held))
            by = ["majority", "weighted:mean_logprob"]
            by += [f"best:{name}" for name in names if name not in BESIDE]
            for pool, held in checked:
                for name in filter(partial(graded, held), said(held)):
                    print(f"- {knowing(pool, held, name)}")
            for note in matched({p.path.name for p, _ in checked}, [p.path for p in pools], by):
                print(f"- {note}")


def matched(checked: set[str], pools: list[Path], by: list[str]) -> Iterator[str]:
    """What a smaller model with a verifier reaches for the FLOPs of one sample of a larger one."""
    series = series_of.load(pools, by=by).series
    table = Table(series, [s.method for s in series])
    singles = {s.model: i for i, s in enumerate(series) if s.method == "random"}
    smaller = [i for i, s in enumerate(series) if s.source in checked and s.method in by]
    for single in singles.values():
        for small in smaller:
            found = match(table, small, single, math.inf)
            if found is None:
                continue
            if found.gap is None:
                yield (
                    f"{found.small}, chosen by {found.method}: not one sample for the FLOPs of one "
                    f"sample of {found.large}."
                )
            else:
                gap = found.gap
                yield (
                    f"{found.small} with N = {found.n}, chosen by {found.method}, minus one sample "
                    f"of {found.large}, for at most its FLOPs: {gap.difference:+.3f} "
                    f"({gap.low:+.3f} to {gap.high:+.3f}"
                    f"{'' if gap.decided else '; undecided'})."
                )


def said(held: columns.Columns) -> list[str]:
    """The scores that verifiers gave afterwards."""
    return [name for name in held.score_names if name not in RECORDED]


def graded(held: columns.Columns, name: str) -> bool:
    """Whether a score says more than right or wrong."""
    return any(((g.scores[name] > 0) & (g.scores[name] < 1)).any() for g in held.groups)


def knowing(pool: Pool, held: columns.Columns, name: str) -> str:
    """What a score says of right and of wrong samples, and how well it tells them apart."""
    there = [g.answered & (g.scores[name] > columns.ABSTAINED) for g in held.groups]
    parts = list(zip(held.groups, there, strict=True))
    score = np.concatenate([g.scores[name][seen] for g, seen in parts])
    right = np.concatenate([g.correct[seen] for g, seen in parts]) > 0
    rows = np.concatenate([g.rows[np.nonzero(seen)[0]] for g, seen in parts])
    found = measure(score, right, np.unique(rows, return_inverse=True)[1])
    inside = f", within problems {told(found.within)}" if found.within else ""
    return (
        f"{name} on samples of {pool.header.models[0]}: {score[right].mean():.2f} of right ones, "
        f"{score[~right].mean():.2f} of wrong ones in the mean; AUROC {told(found.auroc)}{inside}."
    )


def told(figure: Figure) -> str:
    """With its interval."""
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def verified(pool: Pool, held: columns.Columns, sizes: list[int]) -> None:
    """Print the rows of one pool that choose by what verifiers said, between floor and ceiling."""
    by = [*BY]
    for name in said(held):
        by += [Aggregator("best", name)]
        if graded(held, name):
            by += [Aggregator("weighted", name)]  # of what is right or wrong it is much the same
    sizes = [n for n in sizes if n <= held.fewest]
    pairs = [((how, n), (Aggregator("majority"), n)) for n in sizes for how in by[1:]]
    report = scoring.score(held, by=by, n=sizes, compare=pairs)
    apart = {a: d for (a, _), d in report.differences.items()}
    [model] = pool.header.models
    for row in report.rows:
        if row.n == 1 and row.by != "random":
            continue  # there is nothing to choose
        d = apart.get(f"{row.by}@{row.n}")
        cells = [
            model,
            str(row.n),
            NAMES.get(row.by, row.by),
            f"{row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f})",
            f"{d.difference:+.3f} ({d.low:+.3f} to {d.high:+.3f})" if d else "",
            f"{row.cost['tokens']:,.0f}",
            f"{row.cost['flops']:.2e}",
        ]
        print(f"| {' | '.join(cells)} |")


def table(path: Path) -> str:
    """Print the rows of one pool; returns its differences in a sentence."""
    pool = Pool(path)
    read = columns.read(pool, shape=costs.shape_of(pool.header))
    [model], most = pool.header.models, read.fewest
    one = (Aggregator("random"), 1)
    pairs = [((how, most), one) for how in BY]
    report = scoring.score(read, by=BY, compare=pairs)
    rows = {(row.by, row.n): row for row in report.rows}
    for n in sorted({n for _, n in rows}):
        cells = [
            f"{r.accuracy:.3f} ({r.low:.3f} to {r.high:.3f})"
            for by in NAMES
            if (r := rows[by, n]) is not None
        ]
        flops = rows["majority", n].cost["flops"]
        print(f"| {model} | {n} | {' | '.join(cells)} | {flops:.2e} |")
    said = [
        f"{NAMES[a.rpartition('@')[0]]} of {most} {d.difference:+.3f} ({d.low:+.3f} to "
        f"{d.high:+.3f}{'' if d.decided else '; undecided'})"
        for (a, _), d in report.differences.items()
    ]
    return f"{model}, {report.problems} problems, against one sample: {', '.join(said)}."


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs/results")

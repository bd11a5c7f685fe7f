"""A vote across models with fitted weights, against the best model's own vote: on published samples
of six reasoning models (`samples/boinf` of the benchmark data).

    python benchmarks/ensemble.py [--data ../shared/data] [--samples 16]

The weights and the best single model are chosen on the same problems, and judged on others: AIME24
and AIME25 on each other, GPQA by cross-validation in five parts. The weights are fitted for a vote
of `--samples`, or for the limit of ever more, as in the paper. `equal samples` gives both as many
samples as `--samples`, shared by the weights as a `mixture` does; `equal FLOPs` gives the best
model as many samples as the ensemble's FLOPs buy (2 x parameters x generated tokens). `limit` is
the vote of ever more samples; `alike` is the vote of all models with equal weights. Differences are
the ensemble minus the best model, in points, with their 95 % interval over the judged problems.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ponder.answers.equivalence import quick_key
from ponder.core.problem import AnswerType
from ponder.experiments.pools.samples import Entry, Sample
from ponder.experiments.stats import ensembles, intervals, paired
from ponder.experiments.stats.ensembles import Crowd
from ponder.experiments.stats.estimators import Floats
from ponder.policies.apportion import apportion

PARAMETERS = {
    "Qwen3-4B": 4.0e9,
    "NVIDIA-Nemotron-Nano-9B-v2": 8.9e9,
    "Phi-4-reasoning": 14.7e9,
    "Qwen3-14B": 14.8e9,
    "EXAONE-Deep-32B": 32.0e9,
    "LIMO-v2": 32.8e9,
}
PARTS = 5
MOST = 80
"""Samples of each model and problem, at least."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was fitted on some problems, on others: accuracy of each problem."""

    ensemble: Floats
    """(problems, 3): with equal samples, with its FLOPs, in the limit."""
    single: Floats
    alike: Floats


def read(path: Path, kind: AnswerType) -> list[Entry]:
    """Read a file of published samples, graded by the keys of answers."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        gold = quick_key(str(row["gold_answer"]), kind)
        samples = tuple(
            Sample(text or None, bool(text) and quick_key(text, kind) == gold, tokens=tokens)
            for text, tokens in row["all_answers"]
        )
        entries.append(Entry(str(row["problem_num"]), row["gold_answer"], kind, samples))
    return entries


def crowd_of(folder: Path, benchmark: str, kind: AnswerType, names: Sequence[str]) -> Crowd:
    """Join the models' samples of a benchmark; problems are in the same order in every file."""
    pools = {}
    for name in names:
        entries = read(folder / f"{benchmark}_{name}.jsonl", kind)
        pools[name] = [Entry(str(i), e.gold, kind, e.samples) for i, e in enumerate(entries)]
    crowd = ensembles.join(pools)
    seen = [row for row in range(len(crowd.problem_ids)) if crowd.tokens[row].min() > 0]
    return crowd.part(seen)  # a model that generated nothing never saw the problem


def alone(crowd: Crowd, model: int) -> tuple[float, ...]:
    """Return the weights of one model alone."""
    return tuple(float(i == model) for i in range(len(crowd.models)))


def vote(crowd: Crowd, weights: Sequence[float], samples: int) -> tuple[Floats, list[int]]:
    """Return the accuracy of each problem with so many samples in all, shared by the weights as a
    `mixture` does; and the number of each model's.
    """
    n = apportion(weights, samples)
    each = [weight / held if held else 0.0 for weight, held in zip(weights, n, strict=True)]
    return ensembles.vote(crowd, each, n), n


def judge(fitted_on: Crowd, judged_on: Crowd, samples: int, *, ever: bool) -> tuple[Judged, str]:
    """Fit on some problems, judge on others; also say what was fitted."""
    crowd, models = judged_on, range(len(judged_on.models))
    fitted = ensembles.fit_limit(fitted_on) if ever else ensembles.fit(fitted_on, samples)
    weights = fitted.weights
    votes = [vote(fitted_on, alone(crowd, m), samples)[0].mean() for m in models]
    best = alone(crowd, int(np.argmax(votes)))
    flops = np.array([2 * PARAMETERS[m] for m in crowd.models]) * fitted_on.tokens.mean(axis=0)
    ensemble, n = vote(crowd, weights, samples)
    bought = min(max(1, int(np.dot(n, flops) // np.dot(best, flops))), MOST)
    found = Judged(
        np.stack([ensemble, ensemble, ensembles.limit(crowd, weights)], axis=1),
        np.stack(
            [
                vote(crowd, best, samples)[0],
                vote(crowd, best, bought)[0],
                ensembles.limit(crowd, best),
            ],
            axis=1,
        ),
        vote(crowd, [1.0] * len(weights), samples)[0],
    )
    told = ", ".join(f"{m} {w:.2f}" for m, w in zip(crowd.models, weights, strict=True) if w)
    return found, f"{told}; best alone: {crowd.models[best.index(1.0)]}, {bought} for its FLOPs"


def folds(crowd: Crowd) -> Iterator[tuple[Crowd, Crowd]]:
    """Yield each part of the problems, drawn once, with all others before it."""
    order = np.random.default_rng(0).permutation(len(crowd.problem_ids))
    for part in np.array_split(order, PARTS):
        rest = sorted(set(order.tolist()) - set(part.tolist()))
        yield crowd.part(rest), crowd.part(sorted(part.tolist()))


def show(name: str, pairs: Sequence[tuple[Crowd, Crowd]], samples: int, *, ever: bool) -> None:
    """Print the comparison, over all judged problems."""
    parts = []
    for fitted_on, judged_on in pairs:
        judged, told = judge(fitted_on, judged_on, samples, ever=ever)
        parts.append(judged)
        print(f"{name}: {told}")
    ensemble = np.concatenate([part.ensemble for part in parts])
    single = np.concatenate([part.single for part in parts])
    alike = np.concatenate([part.alike for part in parts])
    for i, how in enumerate(("equal samples", "equal FLOPs", "limit")):
        values = np.stack([ensemble[:, i], single[:, i], alike], axis=1)
        means = intervals.resampled_means(values, 0)
        d = paired.difference(values, means, 0, 1)
        both = "ensemble {:5.1f}  best {:5.1f}".format(*100 * values[:, :2].mean(axis=0))
        span = f"{100 * d.difference:+5.1f} ({100 * d.low:+.1f} to {100 * d.high:+.1f})"
        rest = f"  alike {100 * alike.mean():5.1f}" if i == 0 else ""
        print(f"  {how:13}  {both}  difference {span}{rest}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    data = Path(os.environ.get("PONDER_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--samples", type=int, default=16)
    asked = parser.parse_args()
    folder = asked.data / "samples" / "boinf"
    if not folder.is_dir():
        raise SystemExit(f"there is no folder {folder}: name the benchmark data with --data.")
    names = list(PARAMETERS)
    first = crowd_of(folder, "aime2024", "number", names)
    second = crowd_of(folder, "aime2025", "number", names)
    three = [name for name in names if (folder / f"gpqa_diamond_{name}.jsonl").exists()]
    gpqa = crowd_of(folder, "gpqa_diamond", "choice", three)
    for ever in (False, True):
        print("weights for the limit" if ever else f"weights for a vote of {asked.samples}")
        show("AIME24, fitted on AIME25", [(second, first)], asked.samples, ever=ever)
        show("AIME25, fitted on AIME24", [(first, second)], asked.samples, ever=ever)
        show("GPQA, cross-validated", list(folds(gpqa)), asked.samples, ever=ever)


if __name__ == "__main__":
    main()

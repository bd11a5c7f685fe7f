"""Fitted plans on published samples of reasoning models: tables in docs/results.md.

    python benchmarks/tuning.py {choice,default} [--data DIR] [--kept DIR] [--seeds N] [-o FILE]

``choice``: the most accurate plan on the problems for fitting against the cheapest within one
standard error of it, over N splits of each pool's problems. ``default``: one plan for all models
and benchmarks, fitted to the other models, against a fixed vote on the model that is left out; -o
writes the plan fitted to all of them, which ships as ``planning/thinkers.json``. Accuracies in
points, with 95 % intervals over problems (bootstrap, paired); costs in samples.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ponder.core.outlook import Outlook
from ponder.experiments.pools.file import write
from ponder.experiments.pools.samples import Header
from ponder.experiments.stats import intervals
from ponder.experiments.stats.estimators import Floats, Ints
from ponder.experiments.tuning import fitting
from ponder.experiments.tuning.candidates import Candidate, Outcomes, candidates, evaluate
from ponder.experiments.tuning.samples import Recorded, read
from ponder.planning import difficulty
from published import JOINED, Benchmark, Published

Choice = Callable[[Outcomes, Sequence[int]], int]
VOTES = (4, 8, 16, 24, 32)
"""Fixed votes: those of the efforts ``low`` to ``max``."""
THINKER = 8
"""The fixed vote whose cost the shipped one may have."""
SEEDS = 8


def within_errors(many: float) -> Choice:
    """The cheapest plan within so many standard errors of the most accurate.

    The error is that of the difference, paired by problem. One error: Breiman 1984, 'Classification
    and Regression Trees', section 3.4.3.
    """

    def choose(found: Outcomes, allowed: Sequence[int]) -> int:
        cost = found.cost.mean(0)
        behind = found.accuracy[:, [fitting.choose(found, allowed)]] - found.accuracy
        most = many * behind.std(0, ddof=1) / np.sqrt(len(behind)) + fitting.SLACK
        near = [i for i in allowed if behind[:, i].mean() <= most[i]]
        return min(near, key=lambda i: (round(float(cost[i]), 12), float(behind[:, i].mean())))

    return choose


CHOICES: dict[str, Choice] = {
    "best": fitting.choose,
    "quarter of an error": within_errors(0.25),
    "one error": within_errors(1),
}


def pools_of(samples: Published, benchmark: Benchmark, folder: Path) -> dict[str, Recorded]:
    """Return the pool of each model of a benchmark; a sample's cost is in samples of its pool."""
    found = {}
    for model in samples.models(benchmark):
        path = folder / f"{benchmark.name}-{model.name}.jsonl"
        write(
            path,
            Header((model.name,), {"parameters": model.parameters}),
            samples.entries(benchmark, model),
        )
        pool = read([path], "tokens")[0][0]
        found[model.name] = replace(pool, each=pool.each / pool.each.mean())
    return found


def of_votes(pool: Recorded, plans: Sequence[Candidate], outlook: Outlook) -> Outcomes:
    return evaluate([pool], dict.fromkeys(pool.kinds, outlook), plans=plans)


def around(values: Floats) -> str:
    """Mean and interval of differences by problem, in points."""
    low, high = intervals.percentile(intervals.resampled_means(values[:, None], seed=0))
    text = f"{100 * values.mean():+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
    return text.replace("-0.00", "0.00").replace("+0.00", "0.00")


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


# The choice among plans ---------------------------------------------------------------------------


def choice(samples: Published, folder: Path, seeds: int) -> None:
    """Compare both choices by accuracy on the judged problems, regret and cost."""
    head("benchmark", "effort", "choice", "right", "regret", "cost", "beyond best (95 %)")
    for benchmark in JOINED:
        pools = pools_of(samples, benchmark, folder)
        problems = len(next(iter(pools.values())).kinds)
        shape = len(fitting.CEILINGS), problems
        sums = {name: np.zeros((2, *shape)) for name in CHOICES}
        regrets = {name: np.zeros(shape[0]) for name in CHOICES}
        times = np.zeros(problems)
        for pool in pools.values():
            plans = candidates([pool])
            forecast = [i for i, plan in enumerate(plans) if plan.stop.startswith("value")]
            every = np.arange(problems)
            whole = of_votes(pool, plans, _outlook([pool], every))
            for seed in range(seeds):
                fit, judge = fitting.split(problems, 0.5, seed)
                own = of_votes(pool, [plans[i] for i in forecast], _outlook([pool], fit))
                whole.accuracy[:, forecast], whole.cost[:, forecast] = own.accuracy, own.cost
                before, after = (fitting.of_problems(whole, part) for part in (fit, judge))
                sample = before.cost[:, 0].mean()
                times[judge] += 1
                for place, most in enumerate(fitting.CEILINGS.values()):
                    allowed = fitting.within(before, most * sample)
                    best = after.accuracy[:, allowed].mean(0).max()
                    for name, choose in CHOICES.items():
                        column = choose(before, allowed)
                        sums[name][0, place, judge] += after.accuracy[:, column]
                        sums[name][1, place, judge] += after.cost[:, column]
                        regrets[name][place] += best - after.accuracy[:, column].mean()
        known = times > 0
        means = {name: (total / np.maximum(times, 1))[..., known] for name, total in sums.items()}
        for place, effort in enumerate(fitting.CEILINGS):
            for name in CHOICES:
                right, cost = means[name][:, place].mean(1)
                regret = regrets[name][place] / seeds / len(pools)
                gained = means[name][0, place] - means["best"][0, place]
                row(f"{benchmark.name}, {len(pools)} models", effort, name, f"{100 * right:.1f}",
                    f"{100 * regret:.2f}", f"{cost:.2f}", around(gained))  # fmt: skip


def _outlook(pools: Sequence[Recorded], problems: Ints | None = None) -> Outlook:
    """Return the outlook that is fitted to these problems, or to all."""
    given = [
        graded
        for pool in pools
        for graded in pool.graded(np.arange(len(pool.kinds)) if problems is None else problems)
    ]
    return difficulty.fit(given, "today").outlook(pools[0].kinds[0])


# One plan for all models --------------------------------------------------------------------------


def default(samples: Published, folder: Path, output: Path | None) -> None:
    """Judge plans on the model that they were not fitted on."""
    by = {benchmark: pools_of(samples, benchmark, folder) for benchmark in JOINED}
    names = list(by[JOINED[0]])
    some = next(iter(by[JOINED[0]].values()))
    plans = [*candidates([some]), Candidate(0, 24, "exact")]
    places = {plan.n: i for i, plan in enumerate(plans) if plan.stop == "exact"}
    found: dict[tuple[str, Benchmark, str], Outcomes] = {}
    for left in [*names, ""] if output else names:
        for benchmark, pools in by.items():
            outlook = _outlook([pool for name, pool in pools.items() if name != left])
            for name, pool in pools.items():
                found[left, benchmark, name] = of_votes(pool, plans, outlook)
    head("instead of", "benchmark", "right", "samples", "fitted: right", "samples",
         "fitted - fixed (95 %)", "fitted plans")  # fmt: skip
    for n in VOTES:
        taken = {left: _joint(found, by, left, places[n], plans) for left in names}
        for benchmark, pools in by.items():
            both = {name: [places[n], taken[name]] for name in pools}
            held = {name: found[name, benchmark, name] for name in pools}
            right = np.mean([held[name].accuracy[:, both[name]] for name in pools], axis=0)
            cost = np.mean([held[name].cost[:, both[name]].mean(0) for name in pools], axis=0)
            which = Counter(plans[taken[name]].named([some]) for name in pools)
            row(f"vote of {n}", f"{benchmark.name}, {len(pools)} models",
                f"{100 * right[:, 0].mean():.1f}", f"{cost[0]:.2f}",
                f"{100 * right[:, 1].mean():.1f}", f"{cost[1]:.2f}",
                around(right[:, 1] - right[:, 0]),
                "; ".join(f"{many} x {one}" for one, many in which.items()))  # fmt: skip
    if output:
        plan = plans[_joint(found, by, "", places[THINKER], plans)]
        written = {
            "made": time.strftime("%Y-%m-%d", time.gmtime()),
            "models": names,
            "benchmarks": [benchmark.name for benchmark in by],
            "problems": sum(len(next(iter(pools.values())).kinds) for pools in by.values()),
            "votes": {"max": plan.knobs},
        }
        output.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def _joint(
    found: dict[tuple[str, Benchmark, str], Outcomes],
    by: dict[Benchmark, dict[str, Recorded]],
    left: str,
    fixed: int,
    plans: Sequence[Candidate],
) -> int:
    """Return the most accurate plan of the other models for no more samples than a fixed one.

    Each benchmark counts as much: the problems of the smaller ones are repeated.
    """
    accuracy, cost = [], []
    for benchmark, pools in by.items():
        known = [found[left, benchmark, name] for name in pools if name != left]
        accuracy.append(np.mean([one.accuracy for one in known], axis=0))
        cost.append(np.mean([one.cost for one in known], axis=0))
    size = max(map(len, accuracy))
    spread = [np.arange(size) % len(one) for one in accuracy]
    whole = Outcomes(
        tuple(plans),
        np.concatenate([one[rows] for one, rows in zip(accuracy, spread, strict=True)]),
        np.concatenate([one[rows] for one, rows in zip(cost, spread, strict=True)]),
    )
    return fitting.choose(whole, fitting.within(whole, float(whole.cost[:, fixed].mean())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("choice", "default"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PONDER_DATA", "data")))
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    samples = Published(asked.data, asked.kept)
    with tempfile.TemporaryDirectory() as folder:
        if asked.what == "choice":
            choice(samples, Path(folder), asked.seeds)
        else:
            default(samples, Path(folder), asked.output)


if __name__ == "__main__":
    main()

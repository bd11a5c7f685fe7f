"""Fitted plans on published samples of reasoning models: tables in docs/results.md.

    python benchmarks/tuning.py {choice,default} [--data DIR] [--kept DIR] [--seeds N]

``choice``: the most accurate plan on the problems for fitting against the cheapest within one
standard error of it, over N splits of each pool's problems. ``default``: one plan for all models and
benchmarks, fitted to the other models, against the preset's vote on the model that is left out.
Accuracies in points, with 95 % intervals over problems (bootstrap, paired); costs in samples.
"""

from __future__ import annotations

import argparse
import os
import tempfile
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
PRESETS = (4, 8, 16, 24, 32)
"""Votes of the presets; 8 is the vote of a model that thinks by itself."""
SEEDS = 8


def within_errors(many: float) -> Choice:
    """The cheapest plan within so many standard errors of the most accurate, the error being that of
    the difference, paired by problem (Breiman 1984, 'Classification and Regression Trees', section
    3.4.3, with one).
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


def default(samples: Published, folder: Path, seeds: int) -> None:
    """Judge plans on the model that they were not fitted on."""
    by = {benchmark: pools_of(samples, benchmark, folder) for benchmark in JOINED}
    names = list(by[JOINED[0]])
    some = next(iter(by[JOINED[0]].values()))
    plans = [*candidates([some]), *(Candidate(0, n, "exact") for n in PRESETS if n == 24)]
    places = {plan.n: i for i, plan in enumerate(plans) if plan.stop == "exact"}
    found: dict[tuple[str, Benchmark, str], Outcomes] = {}
    for left in names:
        for benchmark, pools in by.items():
            others = [pool for name, pool in pools.items() if name != left]
            if not others:
                continue
            outlook = _outlook(others)
            for name, pool in pools.items():
                found[left, benchmark, name] = of_votes(pool, plans, outlook)
    head("instead of", "choice", "benchmark", "preset: right", "cost", "fitted: right", "cost",
         "fitted - preset (95 %)", "plans")  # fmt: skip
    for n in PRESETS:
        for said, choose in CHOICES.items():
            taken = {left: _joint(found, by, left, n, places, plans, choose) for left in names}
            for benchmark, pools in by.items():
                right = np.mean([
                    found[name, benchmark, name].accuracy[:, [places[n], taken[name]]]
                    for name in pools
                ], axis=0)  # fmt: skip
                cost = np.mean([
                    found[name, benchmark, name].cost[:, [places[n], taken[name]]].mean(0)
                    for name in pools
                ], axis=0)  # fmt: skip
                which = Counter(plans[taken[name]].named([some]) for name in pools)
                row(f"vote of {n}", said, f"{benchmark.name}, {len(pools)} models",
                    f"{100 * right[:, 0].mean():.1f}", f"{cost[0]:.2f}",
                    f"{100 * right[:, 1].mean():.1f}", f"{cost[1]:.2f}",
                    around(right[:, 1] - right[:, 0]),
                    "; ".join(f"{many} x {one}" for one, many in which.items()))  # fmt: skip


def _joint(
    found: dict[tuple[str, Benchmark, str], Outcomes],
    by: dict[Benchmark, dict[str, Recorded]],
    left: str,
    n: int,
    places: dict[int, int],
    plans: Sequence[Candidate],
    choose: Choice,
) -> int:
    """Return the plan for the other models on all benchmarks, each of which counts as much."""
    accuracy, cost = [], []
    for benchmark, pools in by.items():
        known = [found[left, benchmark, name] for name in pools if name != left]
        accuracy.append(np.mean([one.accuracy for one in known], axis=0))
        cost.append(np.mean([one.cost for one in known], axis=0))
    size = max(map(len, accuracy))
    # Resampled to equal numbers of problems, in turn, so that no benchmark counts more.
    spread = [np.arange(size) % len(one) for one in accuracy]
    whole = Outcomes(
        tuple(plans),
        np.concatenate([one[rows] for one, rows in zip(accuracy, spread, strict=True)]),
        np.concatenate([one[rows] for one, rows in zip(cost, spread, strict=True)]),
    )
    return choose(whole, fitting.within(whole, float(whole.cost[:, places[n]].mean())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("choice", "default"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PONDER_DATA", "data")))
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    samples = Published(asked.data, asked.kept)
    with tempfile.TemporaryDirectory() as folder:
        (choice if asked.what == "choice" else default)(samples, Path(folder), asked.seeds)


if __name__ == "__main__":
    main()

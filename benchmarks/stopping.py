"""Stopping rules on published samples: tokens used, and accuracy lost, against a fixed vote; and
the calibration of the outlook.

    python benchmarks/stopping.py --data ../shared/data [--n 32] [--wave one|four|doubling]
    python benchmarks/stopping.py --data ../shared/data --calibration

What is reported on a model was fitted to the pools of the other models. So was the option of each
rule: the cheapest that loses at most 0.3 points on the other models' pools of that answer type.
Intervals resample problems, those of all models together, as they are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.outlook import Seen
from ponder.core.problem import AnswerType
from ponder.experiments.pools.importing import Foreign, Options
from ponder.experiments.pools.regrading import graded
from ponder.experiments.stats import columns
from ponder.experiments.suites.grading.gold import Reference
from ponder.planning.difficulty import Graded, Tally, fit
from ponder.policies.stopping import (
    BayesFactor,
    Beta,
    Dirichlet,
    Entropy,
    Exact,
    Lead,
    Learned,
    Rule,
    Value,
    Window,
    decided,
    features,
)
from ponder.policies.value import PRIOR

KINDS: dict[str, AnswerType] = {
    "aime2024": "number", "aime2025": "number", "gpqa_diamond": "choice", "math500": "math",
    "gsm8k": "number",
}  # fmt: skip
GSM8K = "samples/bestofn_gsm8k/gsm8k_trajectories.jsonl"
MAPS = {
    "boinf": {"problem_id": "problem_num", "gold": "gold_answer", "samples": "all_answers",
              "answer": "0", "tokens": "1"},
    "gsm8k": {"problem_id": "i", "gold": "gold", "samples": "trajectories", "answer": "answer",
              "tokens": "n_tokens"},
}  # fmt: skip
ALLOWED = 0.003
"""Loss of accuracy that the choice of an option allows."""
OPTIONS: dict[str, list[Callable[[Any], Rule]]] = {
    "exact": [lambda outlook: Exact()],
    "bayes": [lambda o, t=t: Beta(t) for t in (0.8, 0.85, 0.9, 0.95, 0.97, 0.99)],  # type: ignore[misc]
    "dirichlet": [lambda o, t=t: Dirichlet(t) for t in (0.7, 0.8, 0.9, 0.95, 0.98)],  # type: ignore[misc]
    "window": [lambda o, w=w: Window(w) for w in (2, 3, 4, 5, 6, 8)],  # type: ignore[misc]
    "factor": [lambda o, b=b: BayesFactor(b) for b in (3, 5, 10, 20, 30, 100)],  # type: ignore[misc]
    "entropy": [lambda o, m=m, n=n: Entropy(m, n)  # type: ignore[misc]
                for n in (3, 4, 6) for m in (0.01, 0.6, 1.0)],
    "lead": [lambda o, k=k: Lead(k) for k in (2, 3, 4, 5, 6)],  # type: ignore[misc]
    "value": [lambda o, p=p: Value(p, o)  # type: ignore[misc]
              for p in (0.002, 0.001, 0.0007, 0.0005, 0.00035, 0.00025, 0.00015)],
}  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """The samples of a model on a benchmark, as arrays (problems, samples)."""

    name: str
    model: str
    classes: Any
    """Number of each sample's answer within its problem; -1 for none."""
    right: Any
    """(problems, classes): True for right answers."""
    tokens: Any

    def tallies(self) -> Graded:
        found = []
        for row, right in zip(self.classes, self.right, strict=True):
            counts = np.bincount(row[row >= 0], minlength=len(right))
            wrong = tuple(int(c) for c in counts[~right & (counts > 0)])
            found.append(Tally(int(counts[right].sum()), wrong, int((row < 0).sum())))
        return Graded(self.name, self.model, KINDS[self.name], tuple(found))


def recorded(path: Path, name: str, model: str, mapped: str) -> Recorded:
    foreign = Foreign(path, "map", Options(MAPS[mapped], KINDS[name]))
    entries = list(foreign)
    golds = {e.problem_id: Reference(str(e.gold), e.answer_type) for e in entries}
    entries = asyncio.run(graded(entries, golds))
    [group] = columns.read(entries).groups
    tokens = np.array([[sample.tokens for sample in e.samples] for e in entries], float)
    return Recorded(name, model, group.classes, group.right >= 0.5, tokens)


def everything(data: Path, only: str = "") -> list[Recorded]:
    """Read the pools, or those of one benchmark."""
    pools = []
    for path in sorted((data / "samples/boinf").glob(f"{only}*.jsonl")):
        name = next(n for n in KINDS if path.stem.startswith(n))
        pools.append(recorded(path, name, path.stem[len(name) + 1 :], "boinf"))
    if only not in ("", "gsm8k"):
        return pools
    return [*pools, recorded(data / GSM8K, "gsm8k", "Qwen2.5-0.5B-Instruct", "gsm8k")]


@dataclass(frozen=True)
class Walk:
    """Random orders of a pool's samples. Arrays are (orders, problems, n)."""

    states: list[Seen]
    runs: Any
    at: Any
    """Position in ``states`` after each sample."""
    right: Any
    """True if the leader is right."""
    cost: Any
    """Tokens so far."""

    @property
    def n(self) -> int:
        return int(self.at.shape[2])


def shuffled(pool: Recorded, n: int, orders: int) -> Any:
    """Return places of samples, (orders, problems, n), drawn without replacement."""
    problems, recorded = pool.classes.shape
    drawn = np.random.default_rng(0).random((orders, problems, recorded))
    return np.argsort(drawn, axis=2)[:, :, :n]


def walk(pool: Recorded, n: int, orders: int) -> Walk:
    problems = len(pool.classes)
    chosen = shuffled(pool, n, orders)
    classes = np.take_along_axis(pool.classes[None].repeat(orders, 0), chosen, 2)
    tokens = np.take_along_axis(pool.tokens[None].repeat(orders, 0), chosen, 2)
    known: dict[Seen, int] = {}
    at = np.zeros(chosen.shape, int)
    right = np.zeros(chosen.shape, bool)
    runs = np.zeros(chosen.shape, int)
    for order in range(orders):
        for problem in range(problems):
            counts: dict[int, int] = {}
            silent, run, leader = 0, 0, -1
            for i, answer in enumerate(classes[order, problem].tolist()):
                run = run + 1 if i and answer == classes[order, problem, i - 1] else 1
                if answer < 0:
                    silent, run = silent + 1, 0
                else:
                    counts[answer] = counts.get(answer, 0) + 1
                    leader = max(counts, key=counts.__getitem__)  # the first of equals
                seen = Seen(tuple(sorted(counts.values(), reverse=True)), silent)
                at[order, problem, i] = known.setdefault(seen, len(known))
                right[order, problem, i] = leader >= 0 and pool.right[problem, leader]
                runs[order, problem, i] = run
    return Walk(list(known), runs, at, right, np.cumsum(tokens, axis=2))


def ends(walk: Walk, rule: Rule, looks: Sequence[int]) -> Any:
    """Return the number of samples at which each vote ends, looked at after so many."""
    found = np.full(walk.at.shape[:2], walk.n)
    going = np.ones(found.shape, bool)
    for i in looks:
        if i >= walk.n:
            break
        orders, problems = np.nonzero(going)
        places, left = walk.at[orders, problems, i - 1], walk.n - i
        runs = walk.runs[orders, problems, i - 1] if isinstance(rule, Window) else places * 0
        pairs, inverse = np.unique(np.stack([places, runs]), axis=1, return_inverse=True)
        said = [_ends(rule, walk.states[place], left, int(run)) for place, run in pairs.T]
        over = np.array(said, bool)[inverse.ravel()]
        found[orders[over], problems[over]] = i
        going[orders[over], problems[over]] = False
    return found


def _ends(rule: Rule, seen: Seen, left: int, run: int) -> bool:
    if not seen.counts:
        return False
    if decided(*seen.lead, left):
        return True
    if isinstance(rule, Value):
        outlook: Any = rule.outlook
        return _gain(outlook, seen, left) < rule.price
    return rule.stops(seen, left, run)


@cache
def _gain(outlook: Any, seen: Seen, left: int) -> float:
    return Value(0.0, outlook).gain(seen, left)


def waves(kind: str, n: int) -> list[int]:
    if kind == "one":
        return list(range(1, n))
    return list(range(4, n, 4)) if kind == "four" else [2**i for i in range(12) if 2**i < n]


def learn(walks: Sequence[Walk]) -> tuple[float, ...]:
    """Fit the learned rule by Newton steps: is the leader as right as that of all samples?"""
    rows: dict[Seen, list[float]] = {}
    for one in walks:
        weight = 1 / one.at.size
        agrees = one.right == one.right[:, :, -1:]
        for place, same in zip(one.at.ravel().tolist(), agrees.ravel().tolist(), strict=True):
            if one.states[place].counts:
                row = rows.setdefault(one.states[place], [0.0, 0.0])
                row[same] += weight
    x = np.array([features(seen) for seen in rows])
    no, yes = np.array(list(rows.values())).T
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (yes - (yes + no) * p) - 1e-6 * weights
        bend = (x * ((yes + no) * p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(len(weights))
        weights += np.linalg.solve(bend, slope)
    return tuple(weights.tolist())


@dataclass(frozen=True)
class Figures:
    """Per problem, averaged over orders."""

    used: Any
    full: Any
    gained: Any


def figures(one: Walk, stop: Any) -> Figures:
    orders, problems = np.indices(stop.shape)
    used = one.cost[orders, problems, stop - 1].mean(0)
    gained = (one.right[orders, problems, stop - 1] - one.right[:, :, -1].astype(float)).mean(0)
    return Figures(used, one.cost[:, :, -1].mean(0), gained)


def choose(rows: Sequence[Sequence[Figures]]) -> int:
    """Return the cheapest option whose loss on these pools is allowed; pools count the same."""
    gained = [np.mean([f.gained.mean() for f in option]) for option in rows]
    prices = [np.mean([f.used.sum() / f.full.sum() for f in option]) for option in rows]
    fine = [o for o, mean in enumerate(gained) if mean >= -ALLOWED]
    return min(fine, key=prices.__getitem__) if fine else int(np.argmax(gained))


def report(rows: list[Figures], rng: Any) -> str:
    """Return tokens relative to the full vote and points gained, with a 95 % interval."""
    used = np.mean([f.used.sum() / f.full.sum() for f in rows])
    gained = np.mean([f.gained for f in rows], axis=0)
    drawn = gained[rng.integers(len(gained), size=(2000, len(gained)))].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{used:.3f} {100 * gained.mean():+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def compare(pools: Sequence[Recorded], n: int, orders: int, wave: str) -> None:
    walks = {(p.name, p.model): walk(p, n, orders) for p in pools}
    tallies = {(p.name, p.model): p.tallies() for p in pools}
    table: dict[str, dict[tuple[str, str], list[Figures]]] = {}
    for held in dict.fromkeys(p.model for p in pools):
        others = [p for p in pools if p.model != held]
        fitted = fit([tallies[p.name, p.model] for p in others], "held out")
        weights = learn([walks[p.name, p.model] for p in others])
        for pool in (p for p in pools if p.model == held):
            one, outlook = walks[pool.name, held], fitted.outlook(KINDS[pool.name])
            rules = {name: [make(outlook) for make in makes] for name, makes in OPTIONS.items()}
            rules["learned"] = [Learned(t, weights) for t in (0.9, 0.95, 0.97, 0.98, 0.99, 0.995)]
            for name, options in rules.items():
                stops = [ends(one, rule, waves(wave, one.n)) for rule in options]
                row = [figures(one, stop) for stop in stops]
                table.setdefault(name, {})[pool.name, held] = row
    rng = np.random.default_rng(0)
    print(f"\nagainst a vote of {n}, {wave} at a time; tokens, points (95 %)")
    for name, by in table.items():
        said = []
        for benchmark in KINDS:
            rows = []
            for pool in (p for p in pools if p.name == benchmark):
                kin = [row for (other, model), row in by.items() if model != pool.model
                       and KINDS[other] == KINDS[benchmark]]  # fmt: skip
                rows.append(by[benchmark, pool.model][choose(list(zip(*kin, strict=True)))])
            said.append(f"{benchmark}: {report(rows, rng)}")
        print(f"{name:10}", " | ".join(said), flush=True)


# Calibration --------------------------------------------------------------------------------------

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def calibrate(pools: Sequence[Recorded], orders: int, by: str) -> None:
    """Print Brier score, log loss and expected calibration error on what was held out."""
    tallies = {(p.name, p.model): p.tallies() for p in pools}
    print(f"\nleave one {by} out: Brier, log loss, calibration error (of the stated prior)")
    bins: list[tuple[float, bool]] = []
    rows: dict[str, list[Any]] = {}
    for held in dict.fromkeys(getattr(p, by) for p in pools):
        fitted = fit([tallies[p.name, p.model] for p in pools if getattr(p, by) != held], "")
        for pool in pools:
            if getattr(pool, by) != held:
                continue
            one = walk(pool, 32, orders)
            at = one.at[:, :, [k - 1 for k in SIZES if k <= one.n]].ravel()
            right = one.right[:, :, [k - 1 for k in SIZES if k <= one.n]].ravel()
            for name, outlook in (("", PRIOR), ("fit", fitted.outlook(KINDS[pool.name]))):
                chance = np.array([outlook.right(seen) for seen in one.states])[at]
                answered = np.array([bool(seen.counts) for seen in one.states])[at]
                p, y = chance[answered], right[answered]
                rows.setdefault(pool.name + name, []).append(
                    (((p - y) ** 2).mean(),
                     -np.log(np.clip(np.where(y, p, 1 - p), 1e-6, 1)).mean(), _error(p, y))
                )  # fmt: skip
                if name:
                    step = max(1, len(p) // 20_000)
                    bins += zip(p[::step].tolist(), y[::step].tolist(), strict=True)
    for name in KINDS:
        ours, prior = (np.mean(rows[name + which], axis=0) for which in ("fit", ""))
        print(
            f"{name:13}", " ".join(f"{a:.3f} ({b:.3f})" for a, b in zip(ours, prior, strict=True))
        )
    p, y = np.array(bins).T
    edges = [0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.01]
    for low, high in pairwise(edges):
        inside = (p >= low) & (p < high)
        if inside.any():
            print(f"  {low:.2f} to {min(high, 1):.2f}: said {p[inside].mean():.3f}, "
                  f"right {y[inside].mean():.3f}, {inside.mean():.3f} of all")  # fmt: skip


def _error(p: Any, y: Any) -> float:
    """Return the expected calibration error over ten equal bins."""
    place = np.minimum((p * 10).astype(int), 9)
    return math.fsum(abs(float((p - y)[place == k].sum())) for k in range(10)) / len(p)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=32)
    parser.add_argument("--orders", type=int, default=6)
    parser.add_argument("--wave", choices=["one", "four", "doubling"], default="one")
    parser.add_argument("--calibration", action="store_true")
    given = parser.parse_args()
    pools = everything(given.data)
    if given.calibration:
        calibrate(pools, given.orders, "model")
        calibrate(pools, given.orders, "name")
    else:
        compare(pools, given.n, given.orders, given.wave)


if __name__ == "__main__":
    main()

"""``--worth`` on published samples: utility against the best fixed vote in hindsight.

    python benchmarks/worth.py --data ../shared/data [--n 64] [--orders 4]

A right answer is worth so many samples of the mean length of its pool, and a sample costs its
tokens. The vote is that of ``self_consistency`` with ``stop=value``, in its waves, as ``ponder
solve --worth`` runs it; its outlook was fitted to the pools of the other models. Utility is what
was right, less what was spent as a share of the worth, in points. The best fixed vote is chosen for
each model on the problems that are reported; 'carried over' is the fixed vote that was best, at the
same worth, for the other models' pools of that answer type. Differences are paired by problem, with
95 % intervals over problems, those of all models together, as they are the same.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cascade import interval
from ponder.core.answer import Answer
from ponder.core.outlook import Outlook, Seen
from ponder.core.problem import Message, Problem
from ponder.core.trace import Trace
from ponder.planning.difficulty import fit
from ponder.policies.poll import Poll
from ponder.policies.stopping import Value
from ponder.policies.value import Mixture
from stopping import KINDS, Recorded, everything

WORTHS = (20, 100, 500, 2_500, 12_500)
"""Worth of a right answer in mean samples of the pool."""
FIXED = (16, 32)
ASKED = Problem((Message("user", "?"),))


@dataclass
class Known:
    """A mixture that answers from memory: many votes are in the same state."""

    mixture: Mixture
    basis: str = ""
    _rights: dict[Seen, float] = field(default_factory=dict)
    _afters: dict[tuple[Seen, int], float] = field(default_factory=dict)

    def right(self, seen: Seen) -> float:
        if seen not in self._rights:
            self._rights[seen] = self.mixture.right(seen)
        return self._rights[seen]

    def after(self, seen: Seen, more: int) -> float:
        if (seen, more) not in self._afters:
            self._afters[seen, more] = self.mixture.after(seen, more)
        return self._afters[seen, more]


@dataclass(frozen=True)
class Orders:
    """Random orders of a pool's samples. Arrays are (orders, problems, n)."""

    pool: Recorded
    classes: Any
    tokens: Any
    right: Any
    """True if the leader of so many samples is right, the first of equals."""

    @property
    def usual(self) -> float:
        """Mean tokens of a sample."""
        return float(self.pool.tokens.mean())

    def fixed(self) -> tuple[Any, Any]:
        """Return what a fixed vote gets right, and its tokens: (problems, n)."""
        return self.right.mean(0), np.cumsum(self.tokens, axis=2).mean(0)


def ordered(pool: Recorded, n: int, orders: int) -> Orders:
    rng = np.random.default_rng(0)
    problems, recorded = pool.classes.shape
    shape = orders, problems, recorded
    places = np.argsort(rng.random(shape), axis=2)[:, :, : min(n, recorded)]
    classes = np.take_along_axis(pool.classes[None].repeat(orders, 0), places, 2)
    tokens = np.take_along_axis(pool.tokens[None].repeat(orders, 0), places, 2)
    right = np.zeros(classes.shape, bool)
    for order in range(orders):
        for problem in range(problems):
            counts: dict[int, int] = {}
            for i, answer in enumerate(classes[order, problem].tolist()):
                if answer >= 0:
                    counts[answer] = counts.get(answer, 0) + 1
                leader = max(counts, key=counts.__getitem__, default=-1)
                right[order, problem, i] = leader >= 0 and pool.right[problem, leader]
    return Orders(pool, classes, tokens, right)


def drawn(classes: Sequence[int], tokens: Sequence[float], outlook: Outlook, worth: float) -> int:
    """Return the number of samples that the vote asks for; the worth is in tokens."""
    poll, got = Poll(len(classes), Value(outlook=outlook)), 0
    while True:
        price = sum(tokens[:got]) / got / worth if got else math.inf
        coming = poll.wave(1, Value(price, outlook))
        if not coming:
            return got
        for i in range(got, got + coming):
            name = str(classes[i])
            answer = Answer(name, name) if classes[i] >= 0 else None
            poll.add(Trace(ASKED, answer=answer, id=f"0.{i}"), 1.0)
        got += coming


def ours(one: Orders, outlook: Outlook, worth: float) -> tuple[Any, Any]:
    """Return what the vote gets right by problem, and its tokens."""
    orders, problems, _ = one.classes.shape
    right, spent = np.zeros((2, orders, problems))
    for order in range(orders):
        for problem in range(problems):
            tokens = one.tokens[order, problem].tolist()
            got = drawn(one.classes[order, problem].tolist(), tokens, outlook, worth)
            right[order, problem] = one.right[order, problem, got - 1]
            spent[order, problem] = sum(tokens[:got])
    return right.mean(0), spent.mean(0)


@dataclass(frozen=True)
class Row:
    """One model at one worth; arrays are utilities by problem."""

    ours: Any
    best: Any
    carried: Any
    fixed: dict[int, Any]
    best_n: int
    used: float
    """Tokens per problem, in mean samples."""
    accuracy: float
    curve: Any
    """Accuracy of a fixed vote by its size."""


def row(one: Orders, kin: Sequence[Orders], outlook: Outlook, times: float) -> Row:
    worth = times * one.usual
    right, tokens = one.fixed()
    utility = right - tokens / worth
    best = int(utility.mean(0).argmax())
    n = right.shape[1]
    others = []
    for theirs, cost in (other.fixed() for other in kin):
        scale = times * float(cost[:, -1].mean()) / cost.shape[1]
        others.append((theirs - cost / scale).mean(0)[:n])
    usual = int(np.mean(others, axis=0).argmax())
    got, spent = ours(one, outlook, worth)
    fixed = {n: utility[:, n - 1] for n in FIXED if n <= utility.shape[1]}
    return Row(
        got - spent / worth, utility[:, best], utility[:, usual], fixed, best + 1,
        float(spent.mean()) / one.usual, float(got.mean()), right.mean(0),
    )  # fmt: skip


def table(rows: Sequence[tuple[str, int, list[Row]]]) -> None:
    head = ("problems", "worth", "best N", "utility", "best fixed", "difference (95 %)",
            "carried over (95 %)", *(f"vote of {n}" for n in FIXED), "samples", "right",
            "as accurate", "compute")  # fmt: skip
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for name, times, found in rows:
        mine = np.mean([r.ours for r in found], axis=0)
        ranges = sorted({r.best_n for r in found})
        sizes = f"{ranges[0]} to {ranges[-1]}" if len(ranges) > 1 else str(ranges[0])
        accuracy = float(np.mean([r.accuracy for r in found]))
        used = float(np.mean([r.used for r in found]))
        curve = np.mean([r.curve for r in found], axis=0)
        equals = np.nonzero(curve >= accuracy)[0]
        n = int(equals[0]) + 1 if len(equals) else 0
        cells = [name, f"{times:,}", sizes, f"{100 * mine.mean():.1f}",
                 f"{100 * np.mean([r.best for r in found]):.1f}",
                 against(mine, [r.best for r in found]),
                 against(mine, [r.carried for r in found]),
                 *(f"{100 * np.mean([r.fixed[n] for r in found]):.1f}"
                   if n in found[0].fixed else "" for n in FIXED),
                 f"{used:.1f}", f"{100 * accuracy:.1f} %", str(n) if n else "none",
                 f"{used / n:.2f}" if n else ""]  # fmt: skip
        print(f"| {' | '.join(cells)} |", flush=True)


def against(mine: Any, other: Sequence[Any]) -> str:
    difference = mine - np.mean(other, axis=0)
    low, high = interval(difference)
    return f"{100 * difference.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=64, help="most samples of a vote")
    parser.add_argument("--orders", type=int, default=4)
    given = parser.parse_args()
    pools = everything(given.data)
    orders = [ordered(pool, given.n, given.orders) for pool in pools]
    found: dict[tuple[str, int], list[Row]] = {}
    for held in dict.fromkeys(pool.model for pool in pools):
        fitted = fit([pool.tallies() for pool in pools if pool.model != held], "held out")
        for one in (one for one in orders if one.pool.model == held):
            kind = KINDS[one.pool.name]
            kin = [o for o in orders if o.pool.model != held and KINDS[o.pool.name] == kind
                   and o.right.shape[2] >= one.right.shape[2]]  # fmt: skip
            outlook = Known(fitted.outlook(kind))
            for times in WORTHS:
                found.setdefault((one.pool.name, times), []).append(row(one, kin, outlook, times))
    table([(name, times, found[name, times]) for name in KINDS for times in WORTHS])


if __name__ == "__main__":
    main()

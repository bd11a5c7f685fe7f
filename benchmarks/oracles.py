"""What stopping can save at most: votes ended by someone who knows more than any rule can.

    python benchmarks/oracles.py --data ../shared/data [--only aime2025] [--n 32] [--orders 3]

One knows the samples to come, and ends a vote as soon as its leader stays as right as it is. The
other knows how often the model gives each answer to the problem, from all 80 to 160 samples of it,
but not the samples to come, nor which answer is right: the vote ends when its leader leads at the
end, too, with so high a probability that no more accuracy is lost than the rules of ``stopping.py``
may lose. That probability is chosen on the very problems that are reported.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stopping import KINDS, Recorded, Walk, choose, everything, figures, report, shuffled, walk

DRAWS = 200
"""Ends of a vote that are drawn to forecast it."""
SURE = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98)


def settled(one: Walk) -> Any:
    """Return the number of samples after which each vote's leader stays as right as it is."""
    moved = one.right[:, :, :-1] != one.right[:, :, 1:]
    last = one.n - 1 - np.argmax(moved[:, :, ::-1], axis=2)
    return np.where(moved.any(axis=2), last + 1, 1)


def sureness(pool: Recorded, n: int, orders: int) -> Any:
    """Return the probability that the leader after each sample leads at the end, too, for someone
    who knows how often the model gives each answer to the problem.
    """
    rng = np.random.default_rng(1)
    chosen = shuffled(pool, n, orders)
    found = np.zeros(chosen.shape)
    for problem, row in enumerate(pool.classes):
        shares = np.bincount(row + 1, minlength=2) / len(row)
        for order in range(orders):
            counts = np.zeros(len(shares), int)
            came: dict[int, None] = {}
            for i, place in enumerate(chosen[order, problem]):
                answer = int(row[place]) + 1
                counts[answer] += 1
                if answer:
                    came.setdefault(answer)
                if not came:
                    continue
                leader = max(came, key=counts.__getitem__)  # the first of equals
                left = chosen.shape[2] - i - 1
                final = (counts + rng.multinomial(left, shares, DRAWS))[:, 1:]
                found[order, problem, i] = (final[:, leader - 1] >= final.max(axis=1)).mean()
    return found


def oracles(pools: Sequence[Recorded], n: int, orders: int) -> None:
    """Print what each of them uses against a vote of n."""
    rng = np.random.default_rng(0)
    for benchmark in dict.fromkeys(pool.name for pool in pools):
        some = [pool for pool in pools if pool.name == benchmark]
        walks = [walk(pool, n, orders) for pool in some]
        sure = [sureness(pool, n, orders) for pool in some]
        vote = [figures(one, settled(one)) for one in walks]
        options = []
        for least in SURE:
            stops = [np.where((p >= least).any(2), (p >= least).argmax(2) + 1, n) for p in sure]
            stops = [np.minimum(stop, one.n) for stop, one in zip(stops, walks, strict=True)]
            options.append([figures(one, stop) for one, stop in zip(walks, stops, strict=True)])
        rows = options[choose(options)]
        print(f"{benchmark}: knows the samples {report(vote, rng)} | knows the shares, and is "
              f"{SURE[choose(options)]} sure {report(rows, rng)}", flush=True)  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=list(KINDS), help="one benchmark")
    parser.add_argument("--n", type=int, default=32)
    parser.add_argument("--orders", type=int, default=3)
    given = parser.parse_args()
    oracles(everything(given.data, given.only or ""), given.n, given.orders)


if __name__ == "__main__":
    main()

"""The search in words behind ``ponder learn thinking``: how often it ends within so many tokens.

    python benchmarks/thinking.py [--n 2000] [--seed 7]

Puzzles are made afresh (``countdown/train``). For each order of the steps (near half of the target
first, as for ``medium``; by chance, as for ``high``) it prints the share of searches that end with
the solution within a bound, thinned by nothing, with its 95 % interval (Wilson), and how many ways
failed before. Tokens are counted as ``learning.thinking.bounds`` counts them.
"""

from __future__ import annotations

import argparse
import random
from itertools import islice
from math import sqrt

from ponder.experiments.suites.countdown_made import puzzles
from ponder.learning.thinking.bounds import tokens
from ponder.learning.thinking.symbolic import search, told

LIMITS = (64, 128, 256, 512, 1024)


def interval(hits: int, n: int) -> str:
    """Return a share in percent with its interval."""
    share, z = hits / n, 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{share:6.1%} ({middle - half:.1%} to {middle + half:.1%})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    made = list(islice(puzzles(given.seed), given.n))
    for order in ("near", "chance"):
        lengths, ways = [], []
        for i, puzzle in enumerate(made):
            rng = random.Random(f"{given.seed}:{i}") if order == "chance" else None
            found = search(puzzle.numbers, puzzle.target, rng)
            assert found is not None
            lengths.append(tokens(told(found, puzzle.target)))
            ways.append(found.dead_ends)
        ranked = sorted(lengths)
        points = ", ".join(f"{ranked[int(q * (len(ranked) - 1))]}" for q in (0, 0.5, 0.9, 0.99, 1))
        print(f"{order}: tokens at least, median, 90 %, 99 %, most: {points}")
        print(f"  ways that failed: mean {sum(ways) / len(ways):.2f}, most {max(ways)}")
        for limit in LIMITS:
            hits = sum(length <= limit for length in lengths)
            print(f"  within {limit:5,}: {interval(hits, len(lengths))}")


if __name__ == "__main__":
    main()

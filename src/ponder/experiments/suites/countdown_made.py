"""Countdown puzzles made afresh, for training: ``countdown/train(seed=7, n=500)``.

Of the kind of the test set: three numbers from 1 to 100 and a target from 1 to 100. The numbers are
drawn, then a way to combine them, and its value is the target: so each puzzle can be solved, with
whole numbers on the way. The same seed gives the same puzzles, each once, and a shorter list is the
beginning of a longer one.

No puzzle of the test set is among them, in any order of its numbers: ``countdown_test.txt`` holds a
short hash of each of the 256, so that this holds where the test set itself is absent, too. A hash
that two puzzles share leaves out one more.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from itertools import islice
from pathlib import Path

from ponder.core.errors import UnknownName, UsageError
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.game24 import puzzle
from ponder.experiments.suites.grading.gold import Arithmetic

NAME = "countdown/train"
N = 100
MOST = 100_000
HIGHEST = 100
"""Greatest number and target."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """Numbers, and the value that can be made of them."""

    numbers: tuple[int, ...]
    target: int
    level: int
    """Number of products and quotients in the expression that it was made by."""

    @property
    def key(self) -> tuple[tuple[int, ...], int]:
        """The same for two puzzles that differ in the order of their numbers alone."""
        return tuple(sorted(self.numbers)), self.target


@dataclass(frozen=True, slots=True)
class MadeCountdown:
    """As many puzzles of one seed as are asked for."""

    seed: int = 0
    n: int = N
    summary = "make a target of three numbers, made afresh by seed"
    source = "Ponder"
    licence = "Apache-2.0"
    where = ()
    grading = "any exact solution"

    @property
    def name(self) -> str:
        """``countdown/train(seed=SEED, n=N)``."""
        return f"{NAME}(seed={self.seed}, n={self.n})"

    def load(self, folder: Path | None = None) -> list[Item]:
        """As ``Suite``; the data folder does not matter."""
        return [
            Item(
                f"{NAME}/{self.seed}/{index}",
                puzzle(made.numbers, made.target),
                Arithmetic(made.numbers, Fraction(made.target)),
                made.level,
            )
            for index, made in enumerate(islice(puzzles(self.seed), self.n))
        ]


def suite(options: Mapping[str, str]) -> MadeCountdown:
    """Return the suite that a caller names.

    Raises:
        UsageError: an option is unknown, or no whole number in its range.
    """
    values = {"seed": 0, "n": N}
    ranges = {"seed": (0, 2**31 - 1), "n": (1, MOST)}
    for name, text in options.items():
        if name not in values:
            raise UnknownName(f"option of {NAME}", name, values)
        least, most = ranges[name]
        if not (
            text.isascii() and text.isdigit() and len(text) < 11 and least <= int(text) <= most
        ):
            raise UsageError(
                f"{name} of {NAME} must be a whole number from {least} to {most:,}, not {text!r}."
            )
        values[name] = int(text)
    return MadeCountdown(**values)


def puzzles(seed: int) -> Iterator[Puzzle]:
    """Yield the puzzles of a seed, without end, each once and none of the test set."""
    rng = random.Random(f"{NAME}:{seed}")
    known = hashes_of_tests()
    given = set[tuple[tuple[int, ...], int]]()
    while True:
        made = _drawn(rng)
        if made is None or made.key in given or short_hash(made.numbers, made.target) in known:
            continue
        given.add(made.key)
        yield made


def hashes_of_tests() -> frozenset[str]:
    """Return the short hashes of the test set's puzzles."""
    text = resources.files(__package__).joinpath("countdown_test.txt").read_text("ascii")
    return frozenset(text.split())


def short_hash(numbers: Sequence[int], target: int) -> str:
    """Return eight hexadecimal digits, the same for any order of the numbers."""
    text = f"{','.join(map(str, sorted(numbers)))}={target}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _drawn(rng: random.Random) -> Puzzle | None:
    """Return a puzzle by combining two of three numbers, then the third; None if it is none."""
    numbers = tuple(rng.randint(1, HIGHEST) for _ in range(3))
    left, level = list(numbers), 0
    while len(left) > 1:
        rng.shuffle(left)
        a, b = sorted((left.pop(), left.pop()), reverse=True)
        sign = rng.choice("+-*/")
        if sign == "/" and (not b or a % b):
            return None
        level += sign in "*/"
        left.append({"+": a + b, "-": a - b, "*": a * b, "/": a // (b or 1)}[sign])
    return Puzzle(numbers, left[0], level) if 1 <= left[0] <= HIGHEST else None

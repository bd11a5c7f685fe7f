"""The settings of a training, and the plan of its steps: all of it pure and deterministic.

The order of the rows, the rows of each step and the learning rate of each step follow from the
settings and the rows' lengths alone. So a training that goes on from a checkpoint needs the number
of the step, and nothing else, to do as it would have done.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ponder.core.errors import UsageError

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
TOGETHER = 1024
"""Most tokens, padding included, that pass through the model at once: what bounds the memory. A
longer row passes alone.
"""
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises to its full value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The knobs of a training.

    Raises:
        UsageError: a number is out of range.
    """

    rank: int = 16
    """Rank of the adapters (Hu 2021, 'LoRA')."""
    alpha: int = 32
    """The adapters' output is multiplied by ``alpha / rank``."""
    rate: float = 2e-4
    """Highest learning rate."""
    epochs: int = 2
    """Number of times that each row is learned from."""
    batch: int = 4096
    """Tokens of a step, prompts included."""
    longest: int = 2048
    """Most tokens of a row, its prompt included: longer rows are left out."""
    seed: int = 0
    """Seed of the adapters' first values and of the order of the rows."""
    precision: Precision = "float32"
    """Numbers that the model computes with; the adapters are always float32."""

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "epochs", "batch", "longest"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if not 0 < self.rate <= 1:
            raise UsageError(f"the learning rate must be above 0 and at most 1, not {self.rate}.")

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        return asdict(self)


def steps(lengths: Sequence[int], settings: Settings) -> list[tuple[int, ...]]:
    """Return the rows of each step, by their numbers.

    Each epoch is a shuffle of its own; a step takes rows until ``batch`` tokens are reached.
    """
    return [
        step
        for epoch in range(settings.epochs)
        for step in _filled(_shuffled(len(lengths), settings.seed, epoch), lengths, settings.batch)
    ]


def _shuffled(rows: int, seed: int, epoch: int) -> list[int]:
    order = list(range(rows))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    return order


def _filled(order: Sequence[int], lengths: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """Yield parts of at most ``most`` tokens, or of one row."""
    part: list[int] = []
    tokens = 0
    for row in order:
        if part and tokens + lengths[row] > most:
            yield tuple(part)
            part, tokens = [], 0
        part.append(row)
        tokens += lengths[row]
    if part:
        yield tuple(part)


def together(step: Sequence[int], lengths: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the rows of a step in groups of similar length that pass through the model at once."""
    groups: list[list[int]] = []
    for row in sorted(step, key=lambda row: (-lengths[row], row)):
        if groups and lengths[groups[-1][0]] * (len(groups[-1]) + 1) <= TOGETHER:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [tuple(group) for group in groups]


def rate(step: int, of: int, highest: float) -> float:
    """Return the learning rate of a step: a linear rise, then half a cosine down to zero."""
    rise = max(1, round(of * WARM_UP))
    if step < rise:
        return highest * (step + 1) / (rise + 1)
    return highest * (1 + math.cos(math.pi * (step - rise) / (of - rise))) / 2

"""The outcome of a training, and its cost in floating-point operations.

P counts the last layer for every token, though it is applied to those of completions alone, some of
it twice: the sum is an upper bound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ponder.learning import cost
from ponder.models.base import Shape


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was made."""

    step: int
    """Its number, from 1."""
    of: int
    """Number of all steps."""
    loss: float
    """Mean negative log-likelihood of its completions' tokens, before the step."""
    rate: float
    """Its learning rate."""
    learned: int
    """Number of those tokens."""
    computed: tuple[tuple[int, int], ...]
    """Rows, and tokens of each with padding, that went through the model at once."""
    seconds: float
    """Wall time of the step."""

    def to_line(self) -> str:
        """Return the step as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"


def steps_of(lines: str) -> list[Step]:
    """Return the steps in lines of JSON."""
    found: Iterable[dict[str, Any]] = map(json.loads, lines.splitlines())
    return [Step(**one | {"computed": tuple(map(tuple, one["computed"]))}) for one in found]


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome of a training."""

    log: tuple[Step, ...]
    shape: Shape
    """The layers that tokens go through; none of them changes."""
    adapters: int
    """Parameters of the adapters, which are learned."""
    before: float | None
    """Loss on the rows that were held out, before the first step; None if there are none."""
    after: float | None
    """The same after the last step."""

    @property
    def tokens(self) -> int:
        """Number of tokens that went through the model, padding included."""
        return sum(rows * width for step in self.log for rows, width in step.computed)

    @property
    def flops(self) -> int:
        """Floating-point operations of all steps."""
        widths = (width for step in self.log for rows, width in step.computed for _ in range(rows))
        return cost.training(self.shape, self.adapters, widths)

    def to_json(self) -> dict[str, Any]:
        """Return the part of the card that tells of the training."""
        return {
            "steps": len(self.log),
            "losses": [round(step.loss, 6) for step in self.log],
            "held_out_loss": {"before": self.before, "after": self.after},
            "tokens": {
                "computed": self.tokens,
                "learned": sum(step.learned for step in self.log),
            },
            "parameters": {"model": self.shape.parameters, "adapters": self.adapters},
            "flops": self.flops,
            "seconds": round(sum(step.seconds for step in self.log), 1),
        }

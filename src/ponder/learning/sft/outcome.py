"""The outcome of a training, and its cost in floating-point operations.

A token that goes through a layer of P parameters costs 2 P, and the gradient that is passed on
through it 2 P again (Kaplan 2020, section 2.1). The third 2 P of a whole training, the gradient of
the parameters themselves, is spared: only the adapters' p parameters have one. So a token costs
4 P + 6 p. Attention has no parameters: each earlier token that a token attends to costs 4 A forward
and 8 A backward, where A is layers times width. P counts the last layer for every token, though it
is applied to those of completions alone, some of it twice: the sum is an upper bound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


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
    parameters: int
    """Parameters of the layers that tokens go through; none of them changes."""
    adapters: int
    """Parameters of the adapters, which are learned."""
    attention: int
    """Layers times the width of the attention's output."""
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
        pairs = sum(
            rows * width * (width - 1) // 2 for step in self.log for rows, width in step.computed
        )
        each = 4 * self.parameters + 6 * self.adapters
        return each * self.tokens + 12 * self.attention * pairs

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
            "parameters": {"model": self.parameters, "adapters": self.adapters},
            "flops": self.flops,
            "seconds": round(sum(step.seconds for step in self.log), 1),
        }

"""The result of a batch: an answer for each question, and the receipt of them all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Receipt
from ponder.core.errors import Limit
from ponder.runtime.batch import Ending


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one question of a batch."""

    answer: str | None
    """The answer; None if no sample had one."""
    confidence: float | None
    """Probability that it is right if ``calibrated``, else the share of the answered samples that
    agree with it; None if there are fewer than two.
    """
    samples: int
    """Number of samples that arrived."""
    tokens: int
    """Prompt and completion tokens that were spent on it."""
    usd: float
    stopped_by: Ending
    """Reason why it got no more samples: a limit of the budget, ``settled``, ``n``, ``lost``,
    ``interrupt`` or ``overcharged``.
    """
    calibrated: bool = False
    """True if the confidence was calibrated, to the data that ``BatchResult`` describes."""
    refusal: str | None = None
    """As in ``Result``: the words in which the model refused to answer, if it gave no answer."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; ``refusal`` only if the model refused."""
        found = asdict(self)
        if self.refusal is None:
            del found["refusal"]
        return found


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The outcome of a batch."""

    answers: tuple[Answered, ...]
    """One for each question, in their order."""
    model: str
    run: str | None
    """ID of the recorded run; None if it was not recorded."""
    seed: int
    budget: Budget
    stopped_by: Ending
    """The reason why the whole ended; ``settled`` if nothing more was worth its while."""
    receipt: Receipt
    lost: str = ""
    """Reason why a sample was lost; '' if none was."""
    calibrated: str = ""
    """Description of the data to which confidences were calibrated; '' if none was."""

    @property
    def left(self) -> dict[Limit, float]:
        """Rest of each limit of the budget, at least zero."""
        return left(self.budget, self.receipt)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, without the answers."""
        return {
            "questions": len(self.answers),
            "answered": sum(one.answer is not None for one in self.answers),
            "samples": sum(one.samples for one in self.answers),
            "model": self.model,
            "run": self.run,
            "seed": self.seed,
            "stopped_by": self.stopped_by,
            "left": self.left,
            "receipt": self.receipt.to_json(),
            **({"lost": self.lost} if self.lost else {}),
            **({"calibrated": self.calibrated} if self.calibrated else {}),
        }


def left(budget: Budget, receipt: Receipt) -> dict[Limit, float]:
    """Return what is left of each limit of a budget, at least zero."""
    total = receipt.total
    spent: dict[Limit, float] = {
        "tokens": total.cost.tokens,
        "usd": total.picousd / PICO,
        "flops": total.flops,
        "seconds": total.seconds,
    }
    limits: dict[Limit, float | None] = asdict(budget)  # type: ignore[assignment]
    return {
        unit: max(0, limit - spent[unit]) for unit, limit in limits.items() if limit is not None
    }

"""Worth of a right answer, in the unit that the caller has least of."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeGuard, get_args

from ponder.core.errors import Limit, UsageError
from ponder.core.problem import Problem

EXPECTED_TOKENS = 300
"""Tokens of a sample before the first has come, for its price."""
UNITS: tuple[Limit, ...] = get_args(Limit)
EXPECTED = "an amount above zero, in dollars or followed by tokens, flops or seconds"


@dataclass(frozen=True, slots=True)
class Worth:
    """Most that a right answer is worth to the caller.

    Raises:
        UsageError: it is not an amount above zero in one of the ``UNITS``.
    """

    amount: float
    """The amount, in ``unit``."""
    unit: Limit = "usd"
    """The unit in which further thinking is paid for."""

    def __post_init__(self) -> None:
        if not _positive(self.amount) or self.unit not in UNITS:
            raise _refusal(f"{self.amount} {self.unit}")

    def __str__(self) -> str:
        return said(self.amount, self.unit)

    @classmethod
    def read(cls, value: object) -> Worth:
        """Return a worth from Python or the command line: 0.05, ``5000 tokens`` or ``20 seconds``.

        Raises:
            UsageError: it is not such a value.
        """
        if isinstance(value, Worth):
            return value
        if _positive(value):
            return cls(value)
        text = value if isinstance(value, str) else ""
        found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*([a-z]*)\s*", text)
        try:
            amount = float(found[1]) if found else math.nan
        except ValueError:
            amount = math.nan
        unit = next((name for name in UNITS if found and name == (found[2] or "usd")), None)
        if unit is None or not _positive(amount):
            raise _refusal(value)
        return cls(amount, unit)


class Price(Protocol):
    """The price of samples that are requested at once."""

    def __call__(self, problem: Problem, tokens: float, samples: int = 1, model: str = "") -> float:
        """Return the price of ``samples`` of about ``tokens`` tokens each.

        ``model`` is the name of a model of the run, '' for its own.
        """
        ...


def _tokens(problem: Problem, tokens: float, samples: int = 1, model: str = "") -> float:
    """Return the tokens that are generated."""
    return tokens * samples


@dataclass(frozen=True, slots=True)
class Economy:
    """The prices of samples in the scarce unit, and the worth of a right answer in it."""

    unit: Limit = "tokens"
    """The unit that the caller has least of."""
    price: Price = _tokens
    """Returns the price of further samples."""
    worth: float | None = None
    """Worth of a right answer; None if the caller did not say."""

    ending: Callable[[Problem, float], float] = lambda problem, tokens: 0.0
    """Returns the price of forcing an answer from a chain of so many tokens."""
    each: float = 1.0
    """Part of a sample's price that each further one adds if it is requested with it."""

    def wave(self, most: int) -> int:
        """Return the number of samples to request at once where about half of them will be needed:
        all if each adds less than half of its price, one if each has its whole price.
        """
        return most if self.each < 0.5 else 1


def forgone(what: str, price: float, gain: float, economy: Economy, worth: float = 0.0) -> str:
    """Return the sentence on samples that are not requested, since they are not worth it."""
    whole = said(worth or economy.worth or 0.0, economy.unit)
    cost = said(price, economy.unit)
    return f"{what} would cost {cost} and be expected to gain {gain:.1%} of {whole}"


def said(amount: float, unit: Limit) -> str:
    """Return an amount with its unit, for a person."""
    if unit == "usd":
        return f"${amount:.3g}" if amount < 1000 else f"${amount:,.0f}"
    words = {"tokens": "tokens", "flops": "FLOPs", "seconds": "s"}
    shown = f"{amount:,.0f}" if 10 <= amount < 10**7 else f"{amount:.3g}"
    return f"{shown} {words[unit]}"


def _positive(value: object) -> TypeGuard[int | float]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return value > 0 and math.isfinite(value)


def _refusal(value: object) -> UsageError:
    return UsageError(f"the worth of a right answer must be {EXPECTED}, not {str(value)!r}.")

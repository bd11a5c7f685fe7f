"""The ledger: costs booked per role and model, call by call. The receipt is its final statement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ponder.core.costs.cost import PICO, Cost


@dataclass(frozen=True, slots=True)
class Item:
    """The sum of some calls of one role to one model."""

    role: str
    model: str
    calls: int = 0
    """Number of calls."""
    failed: int = 0
    """Number of calls that failed."""
    prompt_tokens: int = 0
    """Prompt tokens, including the cached ones."""
    cached_tokens: int = 0
    """Prompt tokens that were not evaluated again."""
    completion_tokens: int = 0
    """Completion tokens that reached a trace."""
    wasted_tokens: int = 0
    """Completion tokens that were then cancelled, lost or unreadable."""
    picousd: int = 0
    """Picodollars."""
    flops: int = 0
    """Floating-point operations."""
    seconds: float = 0.0
    """Wall time. Each instant is shared equally among the calls in flight, so items add up and
    never exceed the time that passed.
    """
    reasoning_tokens: int = 0
    """The part of ``completion_tokens`` that the model spent on thinking, as far as known."""
    estimated_tokens: int = 0
    """The part of ``reasoning_tokens`` that is estimated: nobody has counted it."""

    @property
    def cost(self) -> Cost:
        """The cost that counts against a budget."""
        tokens = self.prompt_tokens + self.completion_tokens + self.wasted_tokens
        return Cost(tokens, self.picousd, self.flops)

    def plus(self, other: Item) -> Item:
        """Return the sum of both, under this item's role and model."""
        return Item(
            self.role,
            self.model,
            self.calls + other.calls,
            self.failed + other.failed,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.wasted_tokens + other.wasted_tokens,
            self.picousd + other.picousd,
            self.flops + other.flops,
            self.seconds + other.seconds,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated_tokens + other.estimated_tokens,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a receipt prints them: dollars as a float, thinking only if there
        was any.
        """
        thinking = {
            "reasoning_tokens": self.reasoning_tokens,
            "estimated_tokens": self.estimated_tokens,
        }
        return {
            "role": self.role,
            "model": self.model,
            "calls": self.calls,
            "failed": self.failed,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "completion_tokens": self.completion_tokens,
            "wasted_tokens": self.wasted_tokens,
            **{name: tokens for name, tokens in thinking.items() if tokens},
            "usd": self.picousd / PICO,
            "flops": self.flops,
            "seconds": round(self.seconds, 6),
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """The final statement of a ledger."""

    items: tuple[Item, ...]
    """Items by role and model."""
    notes: tuple[str, ...] = ()
    """Remarks on costs that the items do not cover."""
    overcharged: str = ""
    """One sentence if an endpoint charged more than a request allowed, else ''."""

    @property
    def total(self) -> Item:
        """The sum of all items."""
        total = Item("total", "")
        for item in self.items:
            total = total.plus(item)
        return total

    def to_json(self) -> dict[str, Any]:
        """Return it as in ``ponder solve --json``; ``notes`` and ``overcharged`` only if set."""
        total = self.total.to_json()
        del total["role"], total["model"]
        shown: dict[str, Any] = {"items": [i.to_json() for i in self.items], "total": total}
        if self.notes:
            shown["notes"] = list(self.notes)
        return {**shown, "overcharged": self.overcharged} if self.overcharged else shown


class Ledger:
    """Books items, and shares the passing time among the calls in flight (processor sharing).

    ``spent`` is the part of everything booked that counts against a budget.
    ``overcharged`` is as in ``Receipt``; the handler that detects it sets it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._items: dict[tuple[str, str], Item] = {}
        self.spent = Cost()
        self.overcharged = ""
        self._flying = 0
        self._share = 0.0  # seconds charged to a hypothetical call that is always in flight
        self._since = clock()

    def _tick(self) -> None:
        now = self._clock()
        if self._flying:
            self._share += (now - self._since) / self._flying
        self._since = now

    def depart(self) -> float:
        """Start the time of a call. Returns the mark to pass to ``arrive``."""
        self._tick()
        self._flying += 1
        return self._share

    def arrive(self, mark: float) -> float:
        """Stop the time of a call. Returns its share of the time, in seconds."""
        self._tick()
        self._flying -= 1
        return self._share - mark

    def book(self, item: Item) -> None:
        """Add an item to the sum of its role and model."""
        key = item.role, item.model
        before = self._items.get(key)
        self._items[key] = item if before is None else before.plus(item)
        self.spent += item.cost

    @property
    def total(self) -> Item:
        """The sum of everything booked."""
        return self.receipt().total

    def receipt(self, notes: tuple[str, ...] = ()) -> Receipt:
        """Return the statement as of now."""
        return Receipt(tuple(self._items.values()), notes, self.overcharged)

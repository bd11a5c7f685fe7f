"""What was spent: booked per role and model, call by call. The receipt is its final statement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ponder.core.cost import PICO, Cost


@dataclass(frozen=True, slots=True)
class Item:
    """The sum of some calls of one role to one model.

    ``prompt_tokens`` includes the ``cached_tokens``, which were not evaluated anew.
    ``completion_tokens`` reached a trace; ``wasted_tokens`` were generated and then cancelled,
    lost or unreadable. ``reasoning_tokens`` are the part of ``completion_tokens`` that the model
    spent on thinking of its own, as far as it says. ``seconds`` is wall time, each instant
    shared equally among the calls in flight, so that items add up and never exceed the time that
    passed.
    """

    role: str
    model: str
    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    wasted_tokens: int = 0
    picousd: int = 0
    flops: int = 0
    seconds: float = 0.0
    reasoning_tokens: int = 0

    @property
    def cost(self) -> Cost:
        """What counts against a budget."""
        tokens = self.prompt_tokens + self.completion_tokens + self.wasted_tokens
        return Cost(tokens, self.picousd, self.flops)

    def plus(self, other: Item) -> Item:
        """Both together, under this item's role and model."""
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
        )

    def to_json(self) -> dict[str, Any]:
        """Figures as a receipt prints them: dollars as a float, thinking where there was some."""
        figures = asdict(self)
        thought = figures.pop("reasoning_tokens")
        rare = {"reasoning_tokens": thought} if thought else {}
        usd = figures.pop("picousd") / PICO
        flops, seconds = figures.pop("flops"), figures.pop("seconds")
        return {**figures, **rare, "usd": usd, "flops": flops, "seconds": round(seconds, 6)}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A ledger's final statement: items by role and model, and notes on what they leave open.

    ``overcharged`` is one sentence if an endpoint charged more than it was allowed to, else ''.
    """

    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    overcharged: str = ""

    @property
    def total(self) -> Item:
        """The sum of all items."""
        total = Item("total", "")
        for item in self.items:
            total = total.plus(item)
        return total

    def to_json(self) -> dict[str, Any]:
        """As in ``ponder solve --json``; ``overcharged`` where that is so."""
        total = self.total.to_json()
        del total["role"], total["model"]
        shown = {"items": [i.to_json() for i in self.items], "total": total}
        return {**shown, "overcharged": self.overcharged} if self.overcharged else shown


class Ledger:
    """Books items, and shares the passing time among the calls in flight (processor sharing).

    ``total`` is the sum of all that was booked, ``spent`` what of it counts against a budget.
    ``overcharged`` is as in ``Receipt``; who finds that out sets it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._items: dict[tuple[str, str], Item] = {}
        self.total = Item("total", "")
        self.spent = Cost()
        self.overcharged = ""
        self._flying = 0
        self._share = 0.0  # seconds that one call, always in flight, would have been charged
        self._since = clock()

    def _tick(self) -> None:
        now = self._clock()
        if self._flying:
            self._share += (now - self._since) / self._flying
        self._since = now

    def depart(self) -> float:
        """A call takes off. Returns the mark that ``arrive`` wants back."""
        self._tick()
        self._flying += 1
        return self._share

    def arrive(self, mark: float) -> float:
        """A call has landed. Returns its share of the time, in seconds."""
        self._tick()
        self._flying -= 1
        return self._share - mark

    def book(self, item: Item) -> None:
        """Add an item to those of its role and model."""
        key = item.role, item.model
        before = self._items.get(key)
        self._items[key] = item if before is None else before.plus(item)
        self.total = self.total.plus(item)
        self.spent = self.total.cost

    def receipt(self, notes: tuple[str, ...] = ()) -> Receipt:
        """The statement as of now."""
        return Receipt(tuple(self._items.values()), notes, self.overcharged)

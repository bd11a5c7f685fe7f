"""The cost of learning, and the number of questions after which a learned model has repaid it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ponder.core.errors import UsageError
from ponder.experiments.report.economics import Equal
from ponder.experiments.stats.series import Series
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.files import read_regular


@dataclass(frozen=True, slots=True)
class _Spent:
    search: float = 0.0
    training: float = 0.0


@dataclass(frozen=True, slots=True)
class Learned:
    """A card of ``ponder learn``: which model became which, and for how much."""

    name: str
    model: str
    """The model that it was before."""
    flops: _Spent = _Spent()
    seconds: _Spent = _Spent()

    def cost(self, unit: str) -> float:
        """Return the cost of search and training in a unit; 0 if it is not known."""
        spent = {"flops": self.flops, "seconds": self.seconds}.get(unit, _Spent())
        return spent.search + spent.training


@dataclass(frozen=True, slots=True)
class Payback:
    """A learned model that saves ``saved`` of a unit per question, at the accuracy of ``instead``.

    What it was before reaches that accuracy with more compute.
    """

    model: str
    """Name of the learned model."""
    learned: str
    """Label of its series."""
    instead: str
    """Label of the series of what it was before."""
    unit: str
    accuracy: float
    cost: float
    """The cost of learning."""
    saved: float
    questions: float
    """The number of questions after which that cost is repaid."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end; infinite where resamples save nothing."""
    at_most: bool
    """True if the learned model is better than that accuracy from its first point on."""
    problems: int


def read(path: Path) -> Learned:
    """Return what a card says.

    Raises:
        UsageError: the file cannot be read, or is no card.
    """
    try:
        held = decode(dict[str, Any], parse(read_regular(path, "the card")))
        known = {name: held[name] for name in ("name", "model") if name in held}
        for unit in ("flops", "seconds"):
            spent = decode(dict[str, Any], held.get(unit, {}), unit)
            known[unit] = {part: spent[part] for part in ("search", "training") if part in spent}
        return cast(Learned, decode(Learned, known))
    except Malformed as error:
        raise UsageError(
            f"{path} is no card of 'ponder learn' ({error}): give the card.json of its folder."
        ) from None


def check(learned: Sequence[Learned], series: Sequence[Series]) -> None:
    """Refuse cards whose models are in no file.

    Raises:
        UsageError: the message names the model.
    """
    there = {one.model for one in series}
    for card in learned:
        for name in (card.name, card.model):
            if name not in there:
                raise UsageError(
                    f"the card is of {card.name}, learned from {card.model}, but no file has "
                    f"samples of {name}: give a pool of each, or leave out --learned."
                )


def paybacks(equal: Sequence[Equal], learned: Sequence[Learned]) -> tuple[Payback, ...]:
    """Return when learning has paid, the soonest first, from pairs of equal accuracy."""
    found = [
        Payback(
            one.name,
            pair.cheap,
            pair.dear,
            pair.unit,
            pair.accuracy,
            cost,
            pair.saved,
            cost / pair.saved,
            cost / pair.saved_high,
            cost / pair.saved_low if pair.saved_low > 0 else math.inf,
            pair.at_least,
            pair.problems,
        )
        for one in learned
        for pair in equal
        if (pair.cheap_model, pair.dear_model) == (one.name, one.model)
        if (cost := one.cost(pair.unit)) > 0 and pair.saved > 0
    ]
    return tuple(sorted(found, key=lambda one: one.questions))


def by_unit(
    equal: Mapping[str, Sequence[Equal]], learned: Sequence[Learned]
) -> dict[str, tuple[Payback, ...]]:
    """Return the paybacks of each unit that has some."""
    found = {unit: paybacks(pairs, learned) for unit, pairs in equal.items()}
    return {unit: some for unit, some in found.items() if some}

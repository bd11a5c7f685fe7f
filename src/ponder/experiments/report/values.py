"""A report's content as frozen values: ``Findings``, its parts, and their JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ponder.experiments.report.dial.summary import Dial
from ponder.experiments.report.difficulty import Ceiling, Gain
from ponder.experiments.report.economics import Best, Equal, Price
from ponder.experiments.report.learning import Learned, Payback
from ponder.experiments.report.matched import Match
from ponder.experiments.report.table import CEILING
from ponder.experiments.stats.fits import Line, Plateau, PowerLaw, TooFew
from ponder.experiments.stats.intervals import Kind

Tone = Literal["good", "bad", "open", "plain"]
Topic = Literal["samples", "budget", "dial", "match", "equal", "learning", "difficulty", "price"]


@dataclass(frozen=True, slots=True)
class Headline:
    """One conclusion."""

    topic: Topic
    text: str
    """The point."""
    detail: str
    """Its numbers."""
    tone: Tone
    """The direction of the conclusion."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Accuracy with ``n`` samples, its 95 % interval, and mean costs."""

    n: int
    accuracy: float
    low: float
    high: float
    interval: Kind
    error: float
    """Monte Carlo standard error of the accuracy; 0 if exact."""
    cost: Mapping[str, float]
    """Mean cost per problem, by unit."""
    per_right_answer: Mapping[str, Price]
    """Cost per right answer, by unit."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Both curves through one series' points."""

    line: Line | TooFew
    plateau: Plateau | TooFew


@dataclass(frozen=True, slots=True)
class Curve:
    """One series, or its part in one bin; then ``fits`` is empty and ``law`` None."""

    label: str
    model: str
    method: str
    parameters: int
    source: str
    problems: int
    points: tuple[CurvePoint, ...]
    fits: Mapping[str, Fit]
    law: PowerLaw | TooFew | None

    @property
    def is_ceiling(self) -> bool:
        """True if it knows the gold, so that nobody can run it."""
        return self.method == CEILING


@dataclass(frozen=True, slots=True)
class Panel:
    """The curves on the problems of one difficulty bin."""

    bin: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class BinSet:
    """Panels from the easiest to the hardest bin, where that order is known."""

    model: str
    """The only model that they are for; empty if for all."""
    origin: str
    """Source of the bins, in words."""
    left_out: int
    """Number of problems in no bin."""
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """Everything about one suite."""

    name: str
    unit: str
    """Unit of most charts, one of ``units``."""
    units: tuple[str, ...]
    problems: int
    shared: int
    """Number of problems that all series have; frontier and equal accuracy compare these."""
    curves: tuple[Curve, ...]
    bins: tuple[BinSet, ...]
    frontier: Mapping[str, tuple[Best, ...]]
    equal: Mapping[str, tuple[Equal, ...]]
    matches: tuple[Match, ...]
    matched_bins: str
    """Source of the bins of ``matches``, in words."""
    ceilings: tuple[Ceiling, ...]
    gains: tuple[Gain, ...]
    notes: tuple[str, ...]
    learned: tuple[Learned, ...]
    """Learned models that are compared with what they were before."""
    paybacks: Mapping[str, tuple[Payback, ...]]
    """Learned models that save compute at equal accuracy, by unit."""
    dial: Dial | None = None
    """Stopping rules and plans; None if there are none, or nobody asked for them."""
    headlines: tuple[Headline, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """The whole content of a report, and the command that makes it."""

    command: str
    ratios: tuple[float, ...]
    usd_per_hour: float | None
    suites: tuple[Suite, ...]

    def to_json(self) -> dict[str, Any]:
        """Return every number, as objects named like the classes' fields.

        Infinite ones are null.
        """
        found = _json(self)
        assert isinstance(found, dict)
        return found


def _json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {f.name: _json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, TooFew):
            return {"too_few_points": shown}
        if hasattr(value, "verdict"):
            shown["verdict"] = value.verdict
        if hasattr(value, "decided"):
            shown["decided"] = value.decided
        return shown
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value

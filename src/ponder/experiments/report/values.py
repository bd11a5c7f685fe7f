"""What a report says, as frozen values: ``Findings``, its parts, and their JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ponder.experiments.report.difficulty import Ceiling, Gain
from ponder.experiments.report.economics import Best, Equal, Price
from ponder.experiments.report.matched import Match
from ponder.experiments.report.table import CEILING
from ponder.experiments.stats.fits import Line, Plateau, PowerLaw, TooFew
from ponder.experiments.stats.intervals import Kind

Tone = Literal["good", "bad", "open", "plain"]
Topic = Literal["samples", "budget", "match", "equal", "difficulty", "price"]


@dataclass(frozen=True, slots=True)
class Headline:
    """One conclusion: ``text`` is the point, ``detail`` its numbers, ``tone`` which way it goes."""

    topic: Topic
    text: str
    detail: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Accuracy with ``n`` samples, its 95 % interval, mean cost per problem and per right answer.

    ``error`` is the Monte Carlo standard error of the accuracy (0: exact).
    """

    n: int
    accuracy: float
    low: float
    high: float
    interval: Kind
    error: float
    cost: Mapping[str, float]
    per_right_answer: Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class Fit:
    """Both curves through one series' points."""

    line: Line | TooFew
    plateau: Plateau | TooFew


@dataclass(frozen=True, slots=True)
class Curve:
    """One series, or the part of it in one bin, where ``fits`` is empty and ``law`` None."""

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
        """Whether it knows the gold, so that nobody can run it."""
        return self.method == CEILING


@dataclass(frozen=True, slots=True)
class Panel:
    """The curves on the problems of one difficulty bin."""

    bin: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class BinSet:
    """Panels from the easiest to the hardest bin, where that order is known.

    ``origin`` says what the bins are made from; ``model`` is the only one they are for, empty where
    they are for all. ``left_out`` problems are in no bin.
    """

    model: str
    origin: str
    left_out: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """Everything about one suite. ``unit`` is what most charts count, one of ``units``.

    ``shared`` is on how many problems the frontier and equal accuracy compare: those that all
    series have. ``matched_bins`` says what the bins of ``matches`` are made from.
    """

    name: str
    unit: str
    units: tuple[str, ...]
    problems: int
    shared: int
    curves: tuple[Curve, ...]
    bins: tuple[BinSet, ...]
    frontier: Mapping[str, tuple[Best, ...]]
    equal: Mapping[str, tuple[Equal, ...]]
    matches: tuple[Match, ...]
    matched_bins: str
    ceilings: tuple[Ceiling, ...]
    gains: tuple[Gain, ...]
    notes: tuple[str, ...]
    headlines: tuple[Headline, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a report says, and the command that makes it."""

    command: str
    ratios: tuple[float, ...]
    usd_per_hour: float | None
    suites: tuple[Suite, ...]

    def to_json(self) -> dict[str, Any]:
        """Every number, as objects named like the classes' fields; infinite ones are null."""
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

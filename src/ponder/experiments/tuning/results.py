"""Configurations that ``ponder eval`` has measured, as fixed plans with their outcomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.record.effects import GENERATE, Sampling
from ponder.experiments.evals.store import Outcome, Store, Stored
from ponder.experiments.stats.estimators import Floats
from ponder.planning import presets
from ponder.planning.presets import COMMON, Preset
from ponder.planning.wishes import VERIFIER
from ponder.strategies import registry
from ponder.strategies.declaring import RUN
from ponder.util.decoding import Malformed, decode

SQLITE = b"SQLite format 3\x00"
"""First bytes of a results store."""


@dataclass(frozen=True, slots=True)
class Held:
    """A configuration of a store."""

    path: Path
    stored: Stored
    outcomes: Mapping[str, Outcome]
    """By problem."""
    thought: bool
    """True if its samples were asked for thinking."""

    def fault(self, problems: Collection[str]) -> str:
        """Return why it cannot be compared on these problems; '' if it can."""
        here = [self.outcomes[name] for name in problems if name in self.outcomes]
        if lacking := len(problems) - len(here):
            return f"lacks {lacking} of the {len(problems)} problems"
        if any(one.state in ("open", "failed") for one in here):
            return "has runs that have not ended or failed"
        if any(one.correct is None and one.answer is not None for one in here):
            return "is not graded"
        if self.thought and not self.stored.resolved["sampling"].get("thinking"):
            return "has its thinking from an effort: evaluate it with '--set thinking=LEVEL'"
        return ""

    def units(self, problems: Collection[str]) -> set[str]:
        """Return the units in which its cost is known, and not nothing."""
        here = [self.outcomes[name] for name in problems]
        known = {"tokens", "seconds"}
        known |= {"usd"} if self.stored.priced else set()
        known |= {"flops"} if self.stored.parameters else set()
        return {unit for unit in known if any(getattr(one, unit) for one in here)}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A fixed plan and its outcome on each problem. Arrays are (problems,)."""

    name: str
    model: str
    preset: Preset
    correct: Floats
    cost: Floats


def is_store(path: Path) -> bool:
    """Return True if the file begins as a results store does."""
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        return False


def held(path: Path) -> list[Held]:
    """Return the configurations of a store, the oldest first.

    Raises:
        UsageError: it is something else or damaged, or has no configurations.
    """
    store = Store(path)
    try:
        found = []
        for one in reversed(store.configurations()):
            outcomes = {outcome.problem_id: outcome for outcome in store.outcomes(one.id)}
            runs = [outcome.run for outcome in outcomes.values() if outcome.run]
            found.append(Held(path, one, outcomes, any(_thought(store, run) for run in runs[:1])))
    finally:
        store.close()
    if not found:
        raise UsageError(f"{path} has no results: 'ponder eval' makes some.")
    return found


def _thought(store: Store, run: str) -> bool:
    effects = [row.effect for row in store.journal().calls(run)]
    return any(one.get("thinking") for one in effects if one.get("role") == GENERATE)


def most_problems(given: Sequence[Held]) -> list[str]:
    """Return the problems of the configuration that has the most, in the order of the suite."""
    most = max(given, key=lambda one: len(one.outcomes))
    return list(most.outcomes)


def evaluated(one: Held, problems: Sequence[str], unit: str) -> Evaluated:
    """Return a configuration as a plan.

    Raises:
        UsageError: this Ponder does not know its strategy or a knob of it.
    """
    here = [one.outcomes[name] for name in problems]
    try:
        preset = preset_of(one.stored.resolved)
    except (Malformed, UsageError, KeyError, TypeError) as error:
        raise UsageError(
            f"{one.path}: configuration {one.stored.name!r} is no plan of this Ponder "
            f"({error}): forget it with 'ponder eval rm {one.stored.id}'."
        ) from None
    return Evaluated(
        one.stored.name,
        one.stored.model,
        preset,
        np.array([one.correct is True for one in here], float),
        np.array([getattr(one, unit) for one in here], float),
    )


def preset_of(resolved: Mapping[str, Any]) -> Preset:
    """Return the plan that a configuration states.

    Raises:
        Malformed, UsageError, KeyError, TypeError: it states none.
    """
    drawn: Sampling = decode(Sampling, resolved["sampling"], "its sampling")
    chosen = registry.choose(resolved["strategy"], resolved["knobs"])
    plain = registry.find(resolved["strategy"]).knobs
    knobs = {name: v for name, v in chosen.values.items() if v != plain[name].default}
    given = {name: getattr(drawn, name) for name in COMMON}
    sampling, style = presets.drawing({**given, "style": resolved.get("style", "plain")})
    verifier = resolved["verifier"] if chosen.verifier == RUN else ""
    limits = {unit: value for unit, value in resolved["budget"].items() if value is not None}
    if "tokens" in limits:
        limits["tokens"] = int(limits["tokens"])
    return Preset(
        resolved["strategy"],
        knobs,
        sampling,
        Budget(**limits),
        style,
        verifier="" if verifier == VERIFIER else verifier,
    )

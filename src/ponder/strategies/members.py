"""Who takes part in a mixture: strategies, with knobs of their own, each by one model or by all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ponder.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Member:
    """A strategy's name, its knobs as they were written, and a model ('' is the run's own)."""

    strategy: str
    knobs: Mapping[str, str] = field(default_factory=dict)
    model: str = ""


def members(strategies: str, models: str) -> tuple[Member, ...]:
    """Each of ``strategies`` by the run's own model and by each of ``models``; both are lists with
    commas, which nothing in them may hold. ``NAME?KNOB=VALUE&KNOB=VALUE@MODEL`` is by that model
    alone.

    Raises:
        UsageError: no strategy, or knobs that are not KNOB=VALUE, or one twice.
    """
    found = []
    for text in listed(strategies):
        before, at, after = text.rpartition("@")
        said, model = (before, after) if at else (text, "")
        name, _, rest = said.partition("?")
        pairs = [pair.partition("=") for pair in rest.split("&") if pair]
        knobs = {key: value for key, _, value in pairs}
        sound = name and (model or not at) and all(key and equals for key, equals, _ in pairs)
        if not sound or len(knobs) < len(pairs):
            raise UsageError(
                f"a strategy of a mixture is NAME, NAME?KNOB=VALUE&KNOB=VALUE or NAME@MODEL, not "
                f"{text!r}."
            )
        found += [Member(name, knobs, m) for m in ([model] if at else ["", *listed(models)])]
    if not found:
        raise UsageError("a mixture needs strategies: name one, such as direct.")
    return tuple(found)


def listed(names: str) -> tuple[str, ...]:
    """The different names in a list with commas."""
    return tuple(dict.fromkeys(name for part in names.split(",") if (name := part.strip())))

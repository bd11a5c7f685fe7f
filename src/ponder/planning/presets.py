"""The dial: from an effort to a strategy, its knobs, how samples are drawn, and a budget. Every
part can be set by hand instead.

The lengths and numbers are not tuned on any benchmark: each step doubles the samples of the one
before, and leaves room for a long chain of a small model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any

from ponder.core.budget import Budget
from ponder.core.effects import Sampling
from ponder.core.errors import UnknownName
from ponder.core.thinking import LEVELS, Thinking
from ponder.strategies import registry
from ponder.strategies.knobs import Knob, Parsed, Range, knobs, read


@dataclass(frozen=True, slots=True)
class Preset:
    """How to spend compute on one problem."""

    strategy: str
    """The strategy's name."""
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Those of its knobs that have another value than the default."""
    sampling: Sampling = Sampling()
    """How samples are drawn."""
    budget: Budget = Budget()
    """What may be spent."""


PRESETS: dict[str, Preset] = {
    "minimal": Preset("direct", {}, Sampling(512, temperature=0.0), Budget(tokens=4_000)),
    "low": Preset("self_consistency", {"n": 4}, Sampling(768), Budget(tokens=8_000)),
    "medium": Preset("self_consistency", {"n": 8}, Sampling(1024), Budget(tokens=20_000)),
    "high": Preset("self_consistency", {"n": 16}, Sampling(2048), Budget(tokens=60_000)),
    "max": Preset("self_consistency", {"n": 32}, Sampling(4096), Budget(tokens=200_000)),
}
DEFAULT = "medium"
SAMPLING = ("self_consistency", "best_of_n")
"""The strategies whose ``n`` is what the presets' is: the number of independent samples."""


def _sampling(
    *,
    length: Annotated[int, Range(1, 10**6)],
    temperature: Annotated[float, Range(0, 5)],
    top_p: Annotated[float, Range(0.01, 1)],
    thinking: Annotated[Thinking | None, Parsed(Thinking.read, (*LEVELS, "TOKENS"))],
) -> None:
    """The knobs that every strategy has: how its samples are drawn."""


COMMON: dict[str, Knob] = knobs(_sampling)


def preset(
    effort: str = DEFAULT,
    strategy: str | None = None,
    given: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
) -> Preset:
    """The preset of an effort, with whatever is set by hand in its place.

    ``given`` knobs belong to the strategy or are common to all (``length``, ``temperature``,
    ``top_p``, ``thinking``). Another strategy than the preset's starts from its own defaults; only
    one of ``SAMPLING`` keeps the preset's ``n``. A ``budget`` replaces the preset's where it sets a
    limit. Another strategy, or ``n`` or ``length`` set by hand, lifts the preset's own token
    budget, which was made for the preset's own numbers.

    Raises:
        UnknownName: effort, strategy or knob does not exist.
        UsageError: a knob is out of range.
    """
    if effort not in PRESETS:
        raise UnknownName("effort", effort, PRESETS)
    base, given = PRESETS[effort], given or {}
    name = strategy or base.strategy
    known = registry.find(name).knobs
    inherited = base.knobs if name == base.strategy or name in SAMPLING else {}
    values = read(known | COMMON, {**inherited, **_fields(base.sampling), **given})
    drawn = replace(base.sampling, **{k: values.pop(k) for k in COMMON})
    if name != "direct" and drawn.temperature == 0 and "temperature" not in given:
        drawn = replace(drawn, temperature=Sampling().temperature)
    lifted = name != base.strategy or not given.keys().isdisjoint(("n", "length"))
    limits = Budget() if lifted else base.budget
    if budget is not None:
        limits = Budget(**{**asdict(limits), **_given(budget)})
    return Preset(name, values, drawn, limits)


def sampling(given: Mapping[str, Any], *, logprobs: bool = False) -> Sampling:
    """How samples are drawn where there is no plan: the defaults, overridden by those given.

    Raises:
        UnknownName, UsageError: no such knob, or out of range.
    """
    return Sampling(**read(COMMON, {**_fields(Sampling()), **given}), logprobs=logprobs)


def _fields(sampling: Sampling) -> dict[str, Any]:
    return {name: getattr(sampling, name) for name in COMMON}


def _given(budget: Budget) -> dict[str, Any]:
    return {
        f.name: getattr(budget, f.name)
        for f in fields(budget)
        if getattr(budget, f.name) is not None
    }

"""The dial: from an effort to a strategy, its knobs, sampling parameters, and a budget. Every part
can be set by hand instead.

The lengths and numbers are not tuned on any benchmark: each step has more samples than the one
before, as a rule twice as many, and leaves room for a long trace of a small model. Only the vote of
a model that thinks by itself was fitted (``thinkers``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any

from ponder.core.budget import Budget
from ponder.core.errors import UnknownName, UsageError
from ponder.core.record.effects import Sampling
from ponder.core.thinking import LEVELS, Thinking
from ponder.models.thinking import TOKENS
from ponder.planning import thinkers
from ponder.planning.styles import Style
from ponder.strategies import registry
from ponder.strategies.knobs import Knob, Parsed, Range, knobs, read


@dataclass(frozen=True, slots=True)
class Wish:
    """An effort's plan for a model that thinks by itself."""

    thinking: Thinking | None
    """The thinking that it is asked for; None if its strategy sets that."""
    strategy: str
    """The strategy's name."""
    knobs: Mapping[str, Any]
    """All its knobs."""
    length: int
    """Most tokens of a sample, thinking included."""
    tokens: int | None
    """The token budget; None if there is none."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A way to spend compute on one problem."""

    strategy: str
    """The strategy's name."""
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Its knobs that differ from their defaults."""
    sampling: Sampling = Sampling()
    """Sampling parameters."""
    budget: Budget = Budget()
    """Limits of the run."""
    style: Style = "plain"
    """The style in which the question is asked."""
    wish: Wish | None = field(default=None, compare=False)
    """The change for a model that thinks by itself; None if thinking is set by hand,
    or the plan comes from a file.
    """
    verifier: str = ""
    """Name of the verifier that the strategy asks; '' for the usual one."""


PRESETS: dict[str, Preset] = {
    "none": Preset("direct", {}, Sampling(512, temperature=0.0), Budget(tokens=4_000)),
    "minimal": Preset("direct", {}, Sampling(512, temperature=0.0), Budget(tokens=4_000)),
    "low": Preset("self_consistency", {"n": 4}, Sampling(768), Budget(tokens=8_000)),
    "medium": Preset("self_consistency", {"n": 8}, Sampling(1024), Budget(tokens=20_000)),
    "high": Preset("self_consistency", {"n": 16}, Sampling(2048), Budget(tokens=60_000)),
    "xhigh": Preset("self_consistency", {"n": 24}, Sampling(3072), Budget(tokens=120_000)),
    "max": Preset("self_consistency", {"n": 32}, Sampling(4096), Budget(tokens=200_000)),
    "auto": Preset("auto", {}, Sampling(1024), Budget(tokens=60_000)),
}
THINKING: dict[str, str] = {
    "none": "off", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high",
    "xhigh": "xhigh", "max": "max", "auto": "high",
}  # fmt: skip
"""Level of thinking of a model that thinks by itself. That is turned up first: one sample, but for
the efforts of ``thinkers.shipped``, which vote.
"""
LADDER = "low, high"
"""Levels of thinking that ``auto`` climbs with a model that thinks by itself."""
COMPUTING = ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
"""Models whose programs, tried by ``auto`` beside their texts, were measured to gain accuracy."""
WAYS = "direct, program"
"""Ways of solving that ``auto`` has with them."""
DEFAULT = "medium"
SAMPLING = ("self_consistency", "best_of_n")
"""Strategies that share the presets' ``n``: the number of independent samples."""


def _sampling(
    *,
    length: Annotated[int, Range(1, 10**6)],
    temperature: Annotated[float, Range(0, 5)],
    top_p: Annotated[float, Range(0.01, 1)],
    thinking: Annotated[Thinking | None, Parsed(Thinking.read, (*LEVELS, "TOKENS"))],
) -> None:
    """Declare the knobs that all strategies share: the sampling parameters."""


def _asking(
    *, style: Annotated[Style, "The style in which the question is asked."] = "plain"
) -> None:
    """Declare the knob that all strategies share besides: how the question is asked."""


COMMON: dict[str, Knob] = knobs(_sampling)
ASKING: dict[str, Knob] = knobs(_asking)
SHARED = COMMON | ASKING
"""All knobs that every strategy has."""


def preset(
    effort: str = DEFAULT,
    strategy: str | None = None,
    given: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    tuned: Mapping[str, Preset] | None = None,
) -> Preset:
    """Return the preset of an effort, overridden by values set by hand.

    ``given`` knobs belong to the strategy or are common to all (``length``, ``temperature``,
    ``top_p``, ``thinking``, ``style``). A strategy other than the preset's starts from its own
    defaults; only those of ``SAMPLING`` keep the preset's ``n``. A ``budget`` replaces the preset's
    limits that it sets. Another strategy, or ``n`` or ``length`` set by hand, lifts the preset's
    token budget, which was made for the preset's own numbers. ``tuned`` presets replace those of
    their efforts.

    Raises:
        UnknownName: effort, strategy or knob does not exist.
        UsageError: a knob is out of range.
    """
    if effort not in PRESETS:
        raise UnknownName("effort", effort, PRESETS)
    own, given = (tuned or {}).get(effort), given or {}
    base = own or PRESETS[effort]
    name = strategy or base.strategy
    known = registry.find(name).knobs
    inherited = base.knobs
    if name != base.strategy:
        inherited = {"n": base.knobs["n"]} if name in SAMPLING and "n" in base.knobs else {}
    values = read(
        known | SHARED, {**inherited, **_fields(base.sampling), "style": base.style, **given}
    )
    style: Style = values.pop("style")
    drawn = replace(base.sampling, **{k: values.pop(k) for k in COMMON})
    if name != "direct" and drawn.temperature == 0 and "temperature" not in given:
        drawn = replace(drawn, temperature=Sampling().temperature)
    lifted = name != base.strategy or not given.keys().isdisjoint(("n", "length"))
    limits = Budget() if lifted else base.budget
    if budget is not None:
        limits = Budget(**{**asdict(limits), **_given(budget)})
    by_hand = strategy is not None or "n" in given
    wish = None
    if drawn.thinking is None and own is None:
        plan = Preset(name, values) if by_hand else _thinking(effort, given)
        wish = _wish(effort, plan, given, drawn, limits, budget)
    judge = base.verifier if name == base.strategy else ""
    return Preset(name, values, drawn, limits, style, wish, judge)


def _thinking(effort: str, given: Mapping[str, Any]) -> Preset:
    """Return the effort's strategy for a model that thinks, and all its knobs."""
    own: Mapping[str, Any] = {}
    name, votes = "direct", thinkers.shipped().votes
    if effort in votes:
        name, own = "self_consistency", votes[effort]
    if PRESETS[effort].strategy == "auto":
        name, own = "auto", {"levels": LADDER}
    known = registry.find(name).knobs
    return Preset(name, read(known, {**own, **{k: v for k, v in given.items() if k in known}}))


def _wish(
    effort: str,
    plan: Preset,
    given: Mapping[str, Any],
    drawn: Sampling,
    limits: Budget,
    budget: Budget | None,
) -> Wish:
    """Return the plan for a model that thinks, with the room that its thinking needs beside the
    preset's own numbers.
    """
    level = THINKING[effort]
    length = drawn.length if "length" in given else drawn.length + TOKENS[level]
    tokens = limits.tokens
    if tokens is not None and (budget is None or budget.tokens is None):
        tokens = tokens * length // drawn.length
    thinking = None if plan.strategy == "auto" else Thinking(level)
    return Wish(thinking, plan.strategy, plan.knobs, length, tokens)


def worthy(preset: Preset, given: Mapping[str, Any]) -> Preset:
    """Return the preset of a caller who says what a right answer is worth.

    A vote stops by its value, unless ``given`` names another rule.

    Raises:
        UsageError: the strategy does not weigh what it costs to go on.
    """
    if preset.strategy == "auto":
        return preset
    if preset.strategy != "self_consistency" or "stop" in given:
        stop = f"stop={given['stop']}" if "stop" in given else ""
        rule = stop and f" with {stop}"
        votes = preset.strategy == "self_consistency"
        other = f"leave out {stop}" if votes else "take --strategy self_consistency"
        raise UsageError(
            f"strategy {preset.strategy!r}{rule} does not ask what a right answer is worth: leave "
            f"--worth out, take --effort auto, or {other}."
        )
    return replace(preset, knobs={**preset.knobs, "stop": "value"})


def drawing(given: Mapping[str, Any], *, logprobs: bool = False) -> tuple[Sampling, Style]:
    """Return sampling parameters and style without a plan: the defaults, overridden by those given.

    Raises:
        UnknownName, UsageError: no such knob, or out of range.
    """
    values = read(SHARED, {**_fields(Sampling()), **given})
    style: Style = values.pop("style")
    return Sampling(**values, logprobs=logprobs), style


def _fields(sampling: Sampling) -> dict[str, Any]:
    return {name: getattr(sampling, name) for name in COMMON}


def _given(budget: Budget) -> dict[str, Any]:
    return {
        f.name: getattr(budget, f.name)
        for f in fields(budget)
        if getattr(budget, f.name) is not None
    }

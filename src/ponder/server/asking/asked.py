"""From a request in any API to a plan: which model, how much thinking, within which limits.

An ordinary chat has no answer that two samples could be compared by. It costs one sample, and the
model is shown the chat as it is. A question whose answer can be compared (a number, a formula, a
choice, a program, JSON) is searched at the server's effort. A step of an agent, which may call
tools, costs one sample too. A request that names an effort or a strategy gets it: then equal calls
are one vote.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ponder.core.budget import Budget
from ponder.core.errors import CapabilityError, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.thinking import Thinking
from ponder.core.tools import Toolset
from ponder.core.worth import Worth
from ponder.models.base import ModelInfo
from ponder.models.thinking import TOKENS
from ponder.planning.infer import infer
from ponder.planning.presets import PRESETS
from ponder.planning.problems import problem
from ponder.planning.spec import SEEDS, Spec
from ponder.planning.wishes import spec
from ponder.runtime.continuing import begun
from ponder.server.asking.own_thinking import wished
from ponder.server.errors import ApiError
from ponder.server.settings import Settings
from ponder.strategies import registry as strategies
from ponder.verifiers import naming
from ponder.verifiers import registry as verifiers

LENGTH = 4096
"""Most tokens of a chat's reply, if the request does not say, beside a model's own thinking."""
_COMPUTED = re.compile(
    r"\$[^$\n]+\$|\\[a-z]+\{"  # LaTeX
    r"|[\w)]\s*[-+*/^=]\s*[\w(\\]*\d|\d\s*[-+*/^=]\s*[\w(\\]"  # a figure at an operator
)
"""Something to compute, rather than a chat in which a figure stands."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, whichever API it came by."""

    messages: tuple[Message, ...]
    """The chat."""
    model: str
    """The model, one of the server's."""
    effort: str | None = None
    """The effort, if it names one."""
    strategy: str | None = None
    """The strategy, if it names one."""
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Knobs of the strategy, and sampling parameters."""
    verifier: str | None = None
    """The verifier, if it names one."""
    budget: Budget = Budget()
    """Limits that it sets itself."""
    worth: Worth | float | str | None = None
    """Worth of a right answer, if it says so."""
    answer_type: str = "auto"
    """Type of the answer; ``auto`` if it does not say."""
    choices: tuple[str, ...] = ()
    """Labels to choose from."""
    schema: str = ""
    """A JSON Schema that the answer satisfies."""
    stop: tuple[str, ...] = ()
    """Strings that end the reply."""
    seed: int | None = None
    """The seed; None for one by chance."""
    thinking: Thinking | None = None
    """Wish about the model's own thinking; None to have it follow the effort."""
    tools: Toolset | None = None
    """The tools that the model may call."""
    logprobs: int | None = None
    """Number of alternatives to keep of each token beside its own text and log-probability; None to
    keep none of these.
    """

    @property
    def agent(self) -> bool:
        """True if it is a step of an agent: there are tools, or the result of one."""
        return self.tools is not None or self.messages[-1].role == "tool"

    @property
    def begun(self) -> bool:
        """True if it ends with a reply that is to be continued."""
        return begun(self.messages)

    @property
    def chat(self) -> tuple[Message, ...]:
        """The chat, with the tools that may be called in it."""
        offered = (Message("system", "", tools=self.tools),) if self.tools else ()
        return (*offered, *self.messages)


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of a request."""

    spec: Spec
    """The run."""
    effort: str | None
    """The effort that it follows; None for a chat that no effort was asked for."""
    plain: bool
    """True if the chat is shown to the model as it is, and its reply is the answer."""
    why: str
    """The reason, for whoever asked."""


def plan(asked: Asked, info: ModelInfo, settings: Settings, served: Collection[str]) -> Planned:
    """Return the plan of a request to a model.

    Raises:
        ApiError, UsageError: it cannot be done as asked.
    """
    check_names(asked, settings, served)
    _check_begun(asked)
    kind = asked.answer_type
    if kind == "auto":
        kind = kind_of(asked.messages[-1].content, asked)
    effort, plain, why = _choose(asked, kind, info, settings)
    made = _plain(asked, effort, kind, info) if plain else _searched(asked, effort, kind)
    made = wished(made, asked.thinking, info, plain=plain)
    limits = lowered(made.budget, asked.budget, settings.ceiling)
    if made.wish is not None:
        within = lowered(replace(limits, tokens=made.wish.tokens), asked.budget, settings.ceiling)
        made = replace(made, wish=replace(made.wish, tokens=within.tokens))
    made = replace(made, budget=limits, sampling=_drawn(made.sampling, asked))
    if asked.stop:
        _check_stop(made, info)
    _check_models(made, served)
    return Planned(made, effort, plain, why)


def kind_of(question: str, asked: Asked) -> str:
    """Return the type of the answer, guessed by the question's form. That of an agent's step is
    a text, or calls.
    """
    if asked.agent and not (asked.choices or asked.schema):
        return "text"
    kind = infer(question, asked.choices, asked.schema)
    return "text" if kind == "math" and not _COMPUTED.search(question) else kind


def _choose(
    asked: Asked, kind: str, info: ModelInfo, settings: Settings
) -> tuple[str | None, bool, str]:
    """Return the effort, True for a plain chat, and the reason."""
    effort = asked.effort
    if asked.strategy is not None:
        return effort or settings.effort, False, f"the request names {asked.strategy}"
    if asked.begun:
        return effort, True, "a reply that has begun: one sample"
    if effort is None and asked.agent:
        return None, True, "a step with tools: one sample"
    text = kind == "text" and asked.answer_type == "auto"
    if effort is None and text:
        return None, True, "a chat without an answer that could be compared: one sample"
    if effort is None:
        return settings.effort, False, f"an answer of the type {kind} can be compared"
    if effort in ("none", "minimal") and kind != "json":
        return effort, True, f"the request asks for the effort {effort}: one sample"
    alone = "native_thinking" in info.capabilities and effort not in ("max", "auto")
    if text and alone:
        return effort, True, f"the request asks for the effort {effort}: the model's own thinking"
    return effort, False, f"the request asks for the effort {effort}"


def _plain(asked: Asked, effort: str | None, kind: str, info: ModelInfo) -> Spec:
    thinks = "native_thinking" in info.capabilities
    room = TOKENS["medium"] if thinks and effort is None else 0
    knobs = {"length": LENGTH + room, "temperature": 1.0, **asked.knobs}
    shown = Problem(asked.messages, tools=asked.tools)
    made = spec(
        problem(asked.chat, "json", schema=asked.schema) if kind == "json" else shown,
        model=asked.model,
        effort=effort or "none",
        knobs=knobs,
        budget=None,
        verifier=asked.verifier,
        seed=_seed(asked),
        worth=asked.worth,
    )
    if effort is None:  # the model's own default, as if it were asked without Ponder
        return replace(made, wish=None)
    return _roomy(made, asked)


def _roomy(made: Spec, asked: Asked) -> Spec:
    """Return the plan with room for a model's own thinking beside a whole reply."""
    if made.wish is None or "length" in asked.knobs:
        return made
    length = LENGTH + TOKENS[made.wish.thinking.level if made.wish.thinking else "off"]
    return replace(made, wish=replace(made.wish, length=length))


def _searched(asked: Asked, effort: str | None, kind: str) -> Spec:
    assert effort is not None
    # An agent's chat may be long, and so may its calls: an effort's own limits are for questions.
    room = {"length": LENGTH} if asked.agent else {}
    made = spec(
        asked.chat,
        model=asked.model,
        effort=effort,
        strategy=asked.strategy,
        knobs={**room, **asked.knobs},
        verifier=asked.verifier,
        answer_type=kind,
        choices=asked.choices,
        schema=asked.schema,
        seed=_seed(asked),
        worth=asked.worth,
    )
    return _roomy(made, asked) if asked.agent else made


def _drawn(sampling: Sampling, asked: Asked) -> Sampling:
    if asked.logprobs is not None:
        most = max(asked.logprobs, sampling.top_logprobs)
        sampling = replace(sampling, logprobs=True, pieces=True, top_logprobs=most)
    return replace(sampling, stop=asked.stop)


def _seed(asked: Asked) -> int:
    return secrets.randbelow(SEEDS.stop) if asked.seed is None else asked.seed


def lowered(*budgets: Budget) -> Budget:
    """Return the lowest limit of each unit."""
    found: dict[str, Any] = {}
    for budget in budgets:
        for unit, limit in budget.units().items():
            known = found.get(unit)
            found[unit] = limit if known is None else known if limit is None else min(known, limit)
    return Budget(**found)


def shared(budget: Budget, count: int) -> Budget:
    """Return the equal part of a budget that each of several runs at once may spend."""
    tokens = None if budget.tokens is None else max(1, budget.tokens // count)
    usd = None if budget.usd is None else budget.usd / count
    return replace(budget, tokens=tokens, usd=usd)


def _check_begun(asked: Asked) -> None:
    """Refuse a reply that has begun where several would be compared, or its form is given."""
    more = asked.tools or asked.strategy or asked.answer_type != "auto" or asked.choices
    if asked.begun and (more or asked.effort not in (None, "none", "minimal")):
        raise ApiError(
            "the last message is a reply that has begun, which one sample goes on with: leave out "
            "tools, response_format, the strategy, the type of the answer, and any effort but "
            "none, or end with a message of the user's.",
            param=f"messages[{len(asked.messages) - 1}]",
        )


def _check_stop(made: Spec, info: ModelInfo) -> None:
    if "stop" not in info.capabilities:
        raise CapabilityError(f"stop is asked of {info.name}, which takes none: leave it out.")
    if strategies.choose(made.strategy, made.knobs).stepwise:
        raise ApiError(
            f"stop and the strategy {made.strategy!r} exclude each other, since it ends steps by "
            "stop strings of its own: leave one of them out.",
            param="stop",
        )


def check_names(asked: Asked, settings: Settings, served: Collection[str]) -> None:
    """Refuse a verifier's file, script or model that the server does not offer; opens nothing.

    Raises:
        ApiError: the server does not offer it.
    """
    if asked.effort is not None and asked.effort not in PRESETS:
        raise ApiError(
            f"unknown effort {asked.effort[:40]!r}: expected one of {', '.join(PRESETS)}.",
            param="reasoning_effort",
        )
    trusted = {*settings.trusted, *map(naming.canonical, settings.trusted)}
    for named in verifiers.named(asked.verifier or ""):
        fine = named.text in (served if named.kind == "model" else trusted)
        if not fine:
            raise ApiError(
                f"the verifier names the {named.kind} {named.text[:100]!r}, which this server does "
                "not offer: name one of its models, or have it started with --trust.",
                param="ponder.verifier",
            )


def _check_models(made: Spec, served: Collection[str]) -> None:
    for name in strategies.choose(made.strategy, made.knobs).models:
        if name not in served:
            raise ApiError(
                f"the strategy names the model {name[:100]!r}, which this server does not offer: "
                f"expected some of {', '.join(sorted(served))}.",
                param="ponder.knobs",
            )


def budget_of(given: Mapping[str, Any]) -> Budget:
    """Return a request's own limits.

    Raises:
        ApiError: a limit is not a positive number.
    """
    try:
        return Budget(**given)
    except UsageError as error:
        raise ApiError(str(error), param="ponder.budget") from None

"""What a caller asked for, as one value that can be written down and read again: the run's spec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from ponder._version import __version__
from ponder.answers.extract import instruction
from ponder.core.budget import Budget
from ponder.core.effects import Sampling
from ponder.core.errors import CapabilityError, UnknownName, UsageError
from ponder.core.problem import ANSWER_TYPES, AnswerType, Message, Problem, read_tests
from ponder.models.base import ModelInfo
from ponder.planning import plans
from ponder.strategies import registry
from ponder.strategies.knobs import read
from ponder.util.decoding import Malformed, decode
from ponder.verifiers import registry as verifiers

VERIFIER = "mean_logprob"
SEEDS = range(2**31)


@dataclass(frozen=True, slots=True)
class Spec:
    """Problem, model and plan. Two runs of equal specs ask for the same effects."""

    problem: Problem
    model: str
    strategy: str
    knobs: Mapping[str, Any]
    sampling: Sampling
    budget: Budget
    verifier: str = ""
    seed: int = 0
    version: str = field(default_factory=lambda: __version__)

    def to_json(self) -> dict[str, Any]:
        """For the journal; no thinking where none is asked for."""
        written = asdict(self)
        if self.sampling.thinking is None:
            del written["sampling"]["thinking"]
        return written

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """From the journal.

        Raises:
            UsageError: another version of Ponder wrote it, whose strategies may ask otherwise; or
                it is not as ``to_json`` makes it.
        """
        if data.get("version") != __version__:
            raise UsageError(
                f"this run was begun by Ponder {data.get('version')}, which may ask for other "
                f"samples than this {__version__}: resume it with that version."
            )
        try:
            return cls._read(data)
        except (Malformed, RecursionError, MemoryError) as error:
            why = str(error) or "it is nested too deeply"
        except UsageError as error:
            why = str(error).rstrip(".")
        raise UsageError(f"the run's plan is damaged: {why}; begin the run anew.")

    @classmethod
    def _read(cls, data: Mapping[str, Any]) -> Spec:
        words: _Words = decode(_Words, dict(data), "it")
        asked = words.problem
        known = registry.find(words.strategy).knobs
        drawn = {name: getattr(words.sampling, name) for name in plans.COMMON}
        read(plans.COMMON, drawn)
        if words.seed not in SEEDS or not words.budget.keys() <= asdict(Budget()).keys():
            raise Malformed("its seed or its budget is out of bounds")
        return cls(
            Problem(
                asked.messages,
                asked.answer_type,
                asked.choices,
                asked.schema,
                read_tests(asked.tests),
            ),
            words.model,
            words.strategy,
            read(known, words.knobs),
            words.sampling,
            Budget(**cast(dict[str, Any], words.budget)),
            words.verifier,
            words.seed,
            words.version,
        )

    def check(self, info: ModelInfo, *, priced: bool, model: str = "") -> None:
        """Check that the run's model, or another one that it asks by the name ``model``, can do
        what the strategy needs, and that the budget can be kept.

        Raises:
            CapabilityError: it cannot.
            UsageError: nobody knows what the model costs, in a unit that the budget limits.
        """
        payable(self.budget, info, priced=priced)
        info.check(self.sampling.thinking)
        needs = registry.find(self.strategy).needed(self.knobs, model)
        lacking = [n for n in needs if n not in info.capabilities]
        if lacking:
            raise CapabilityError(
                f"strategy {self.strategy!r} needs {' and '.join(lacking)}, which {info.name} does "
                "not have: use the embedded engine or llama.cpp, or, if this endpoint has them, "
                'say prefill = "final_message" and capabilities = ["stop", ...] in ponder.toml.'
            )
        if self.sampling.logprobs and "logprobs" not in info.capabilities:
            raise CapabilityError(
                f"verifier {self.verifier!r} needs log-probabilities, which {info.name} does not "
                "give: use the embedded engine or llama.cpp, or, if this endpoint has them, say "
                'capabilities = ["logprobs", ...] in ponder.toml.'
            )
        if self.sampling.top_logprobs and "top_logprobs" not in info.capabilities:
            raise CapabilityError(
                f"verifier {self.verifier!r} needs the alternatives of each token, which "
                f"{info.name} does not give: use llama.cpp, or, if this endpoint has them, say "
                'capabilities = ["logprobs", "top_logprobs", ...] in ponder.toml.'
            )


@dataclass(frozen=True, slots=True)
class _Question:
    """A problem as the journal has it: what its tests are, ``read_tests`` says."""

    messages: tuple[Message, ...]
    answer_type: AnswerType
    choices: tuple[str, ...]
    schema: str
    tests: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    """A spec as the journal has it."""

    problem: _Question
    model: str
    strategy: str
    knobs: Mapping[str, Any]
    sampling: Sampling
    budget: Mapping[str, int | float | None]
    verifier: str
    seed: int
    version: str


def payable(budget: Budget, info: ModelInfo, *, priced: bool) -> None:
    """Whether a budget can be kept: it limits nothing of which nobody knows what the model costs.

    Raises:
        UsageError: it cannot.
    """
    if budget.usd is not None and not (priced or info.local):
        raise UsageError(
            f"a budget of dollars cannot be kept: no price is known for {info.name}; set price "
            f"in [endpoints.{info.name}] of ponder.toml."
        )
    if budget.flops is not None and not info.shape.parameters:
        raise UsageError(
            f"a budget of FLOPs cannot be kept: the size of {info.name} is unknown; set "
            f"parameters in [endpoints.{info.name}] of ponder.toml."
        )


def spec(
    question: str | Sequence[Message] | Problem,
    *,
    model: str,
    effort: str = plans.DEFAULT,
    strategy: str | None = None,
    knobs: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    verifier: str | None = None,
    answer_type: str = "auto",
    choices: Sequence[str] = (),
    schema: str = "",
    system: str = "",
    seed: int = 0,
) -> Spec:
    """Read a caller's wishes. Arguments as in ``ponder.solve``.

    Raises:
        UnknownName: effort, strategy, knob, verifier or answer type does not exist.
        UsageError: an empty question, or a value that does not fit.
    """
    words = {"effort": effort, "strategy": strategy, "verifier": verifier, "system": system}
    words |= {"answer_type": answer_type, "schema": schema}
    for name, word in words.items():
        if not (isinstance(word, str) or (word is None and name in ("strategy", "verifier"))):
            raise UsageError(f"{name} must be a text, not {word!r}.")
    if budget is not None and not isinstance(budget, Budget):
        raise UsageError(f"budget must be a ponder.Budget, not {budget!r}.")
    if knobs is not None and not isinstance(knobs, Mapping):
        raise UsageError(f"knobs must be a mapping such as {{'n': 16}}, not {knobs!r}.")
    made = problem(question, answer_type, choices=choices, schema=schema, system=system)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed not in SEEDS:
        raise UsageError(f"the seed must be a whole number from 0 to {SEEDS[-1]}, not {seed!r}.")
    plan = plans.plan(effort, strategy, knobs, budget)
    if model in registry.find(plan.strategy).models(plan.knobs):
        raise UsageError(f"{model} is the run's own model and takes part anyhow: do not name it.")
    asked = registry.find(plan.strategy).verifier(plan.knobs)
    name = (VERIFIER if asked == registry.RUN else asked) if verifier is None else verifier
    sampling = plan.sampling
    if name or verifier is not None:
        judge = verifiers.find(name)
        if verifier is not None and asked != registry.RUN:
            raise UsageError(
                f"strategy {plan.strategy!r} with these knobs asks no verifier of yours: take "
                "--strategy best_of_n, or self_consistency with --set weight=score."
            )
        name, top = judge.name, verifiers.alternatives(judge)  # a rubric's digest is in its name
        sampling = replace(sampling, logprobs=judge.needs_logprobs, top_logprobs=top)
    return Spec(made, model, plan.strategy, plan.knobs, sampling, plan.budget, name, seed)


def problem(
    question: str | Sequence[Message] | Problem,
    answer_type: str = "auto",
    *,
    choices: Sequence[str] = (),
    schema: str = "",
    system: str = "",
) -> Problem:
    """What a caller asks, with the instruction that says how to answer; a ``Problem`` as it is.

    Raises:
        UsageError: the question is empty, or a value does not fit.
    """
    if isinstance(choices, str) or not all(isinstance(c, str) for c in choices):
        raise UsageError(f"choices must be a list of texts, not {choices!r}.")
    if choices and (not all(c.strip() for c in choices) or len({*choices}) < 2):
        raise UsageError(
            f"{', '.join(choices)!r} leaves nothing to choose: give two labels or more."
        )
    if isinstance(question, Problem):
        return question
    turns = [Message("user", question)] if isinstance(question, str) else question
    if not isinstance(turns, Sequence) or not all(isinstance(m, Message) for m in turns):
        raise UsageError(
            f"the question must be a text, ponder.Messages or a ponder.Problem, not {question!r}."
        )
    asked = tuple(turns)
    if not asked or not asked[-1].content.strip():
        raise UsageError("the question is empty: give it as an argument, with --file, or on stdin.")
    last = asked[-1]
    if answer_type == "auto":
        kind = infer(last.content, choices, schema)
    elif answer_type in ANSWER_TYPES:
        kind = next(t for t in ANSWER_TYPES if t == answer_type)
    else:
        raise UnknownName("answer type", answer_type, (*ANSWER_TYPES, "auto"))
    made = Problem(asked, kind, tuple(choices), schema)
    if r"\boxed" not in last.content:
        told = replace(last, content=f"{last.content.rstrip()}\n\n{instruction(made)}")
        asked = (*asked[:-1], told)
    head = (Message("system", system),) if system else ()
    return replace(made, messages=(*head, *asked))


_QUANTITY = re.compile(
    r"\bhow (many|much|old|far|long|tall|fast)\b|\bwhat (number|percentage)\b", re.I
)
_PROGRAM = re.compile(
    r"\b(write|implement|complete)\b.{0,40}\b(function|program|class)\b|^def ", re.I | re.M
)
_FORMULA = re.compile(r"[0-9=^+*/<>\\$]")
_OPTIONS = re.compile(r"^\s*\(?([A-Z])[).:]\s+\S", re.M)


def infer(question: str, choices: Sequence[str] = (), schema: str = "") -> AnswerType:
    """The answer type of a question for which none was given: a guess by its form.

    A schema means ``json``; choices, or lines such as 'A) ...' and 'B) ...', ``choice``; a request
    for a function or program ``code``; 'how many' and the like ``number``; any formula ``math``;
    the rest is ``text``.
    """
    if schema:
        return "json"
    if choices or {"A", "B"} <= set(_OPTIONS.findall(question)):
        return "choice"
    if _PROGRAM.search(question):
        return "code"
    if _QUANTITY.search(question):
        return "number"
    return "math" if _FORMULA.search(question) else "text"

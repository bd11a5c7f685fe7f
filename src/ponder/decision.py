"""``decide`` and ``adecide``: a choice about a text, from one look of a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

from ponder.api import model_name, prepare, wait
from ponder.core.budget import Budget
from ponder.core.costs.ledger import Receipt
from ponder.core.errors import UsageError
from ponder.core.record.events import Event, Subscriber, Weighed
from ponder.core.sessions.run import ignore
from ponder.models.base import Model
from ponder.planning.problems import problem
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec
from ponder.runtime.answered import left
from ponder.runtime.engine import Engine, engine_of
from ponder.runtime.result import Result, StoppedBy
from ponder.strategies.deciding.looking import MOST, YES_NO, Labels

STRATEGY = "decide"
SPENT = "the budget was spent on the texts before"
"""Reason for an abstention."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A choice about one text, or an abstention."""

    choice: str | None
    """The likeliest choice; None for an abstention."""
    probabilities: dict[str, float]
    """Probability of each choice; they sum to 1, and are equal if nothing is known."""
    abstained: str
    """The reason for an abstention; '' for a decision."""
    mass: float
    """Probability that the model's reply is one of the choices at all."""
    model: str
    run: str | None
    """ID of the recorded run; None if it was not recorded."""
    stopped_by: StoppedBy
    """As in ``Result``."""
    receipt: Receipt

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ponder decide --json`` prints."""
        return {
            "choice": self.choice,
            "probabilities": self.probabilities,
            "abstained": self.abstained,
            "mass": self.mass,
            "model": self.model,
            "run": self.run,
            "stopped_by": self.stopped_by,
            "receipt": self.receipt.to_json(),
        }


class Options(TypedDict, total=False):
    """The keyword arguments of ``adecide``."""

    choices: Sequence[str]
    model: str | Path | Model | None
    labels: Labels
    permutations: int
    calibrate: bool
    soften: float
    threshold: float
    budget: Budget | None
    system: str
    seed: int
    journal: Path | str | bool
    engine: Engine | None
    on_event: Subscriber


async def adecide(
    question: str,
    text: str = "",
    *,
    choices: Sequence[str] = YES_NO,
    model: str | Path | Model | None = None,
    labels: Labels = "letters",
    permutations: int = 4,
    calibrate: bool = False,
    soften: float = 1.0,
    threshold: float = 0.0,
    budget: Budget | None = None,
    system: str = "",
    seed: int = 0,
    journal: Path | str | bool = True,
    engine: Engine | None = None,
    on_event: Subscriber = ignore,
) -> Decision:
    """Choose between a few answers to a question, by their probabilities after one look.

    Args:
        question: the question.
        text: the text that it is about; '' if the question needs none.
        choices: the answers to choose from, at most 26.
        model: as in ``ponder.solve``.
        labels: replies of the model: ``letters``, or ``words``, the choices themselves.
        permutations: most orders in which the choices are shown.
        calibrate: True to divide by the probabilities for a text that says nothing.
        soften: temperature of the probabilities.
        threshold: least probability of a decision; below it is an abstention.
        budget: limits.
        system: a system message.
        seed: the run's seed; looks are greedy, so it changes nothing where the model is exact.
        journal: a path, True for the default one, False for none.
        engine: as in ``ponder.solve``.
        on_event: called with every event.

    Raises:
        UsageError: the call is invalid; nothing was spent.
        RunFailed: no look arrived.
    """
    if isinstance(model, Path):
        model = str(model)
    given = None if model is None or isinstance(model, str) else model
    async with engine_of(engine) as using:
        asked = wish(
            question,
            text,
            choices=choices,
            model=given.info.name if given else model_name(cast(str | None, model), using.config),
            knobs={
                "labels": labels,
                "permutations": permutations,
                "calibrate": calibrate,
                "soften": soften,
                "threshold": threshold,
            },
            budget=budget,
            system=system,
            seed=seed,
        )
        return await decided(asked, using, given, journal, on_event)


def decide(question: str, text: str = "", **options: Unpack[Options]) -> Decision:
    """Choose between a few answers: ``adecide`` for synchronous callers, with its arguments."""
    return wait(lambda: adecide(question, text, **options), options.get("engine"))


def wish(
    question: str,
    text: str,
    *,
    choices: Sequence[str],
    model: str,
    knobs: dict[str, Any],
    budget: Budget | None = None,
    system: str = "",
    seed: int = 0,
) -> Spec:
    """Return the run to start.

    Raises:
        UsageError: a value is invalid.
    """
    if not isinstance(question, str) or not question.strip():
        raise UsageError("the question is empty: say what is to be decided.")
    if not isinstance(text, str):
        raise UsageError(f"the text must be a string, not {text!r}.")
    if text and not text.strip():
        raise UsageError("the text is blank: give the text that the question is about.")
    if isinstance(choices, str) or not choices:
        raise UsageError(f"choices must be a list of two texts or more, not {choices!r}.")
    if len({*choices}) < len(choices):
        raise UsageError(f"{', '.join(choices)!r} names a choice twice: give each once.")
    if len(choices) > MOST:
        raise UsageError(f"there are {len(choices)} choices: give at most {MOST}.")
    asked = problem(text or question, "choice", choices=choices, system=system)
    return spec(
        replace(asked, instruction=""),
        model=model,
        strategy=STRATEGY,
        knobs={**knobs, "question": question if text else ""},
        budget=budget,
        seed=seed,
    )


async def decided_all(
    asked: Sequence[Spec], engine: Engine, journal: Path | str | bool = True
) -> AsyncIterator[Decision]:
    """Yield the decision of each run in their order; the budget of the first is for all together.

    What the budget does not allow any more is an abstention that cost nothing.
    """
    budget, spent = asked[0].budget, Receipt(())
    for one in asked:
        rest = left(budget, spent)
        if any(amount <= 0 for amount in rest.values()):
            choices = one.problem.choices
            even = dict.fromkeys(choices, 1 / len(choices))
            limit = next(unit for unit, amount in rest.items() if amount <= 0)
            yield Decision(None, even, SPENT, 0.0, one.model, None, limit, Receipt(()))
            continue
        tokens = int(rest["tokens"]) if "tokens" in rest else None
        unspent = Budget(tokens, rest.get("usd"), rest.get("flops"), rest.get("seconds"))
        found = await decided(replace(one, budget=unspent), engine, journal=journal)
        spent = Receipt((*spent.items, found.receipt.total))
        yield found


async def decided(
    asked: Spec,
    engine: Engine,
    model: Model | None = None,
    journal: Path | str | bool = True,
    on_event: Subscriber = ignore,
) -> Decision:
    """Run it, and return its decision."""
    told: list[Weighed] = []

    def hear(event: Event) -> None:
        if isinstance(event, Weighed):
            told.append(event)
        on_event(event)

    async with prepare(asked, engine, model=model, journal=journal, publish=hear) as runner:
        result = await runner.go()
    return concluded(asked.problem.choices, told[-1] if told else None, result)


def concluded(choices: Sequence[str], weighed: Weighed | None, result: Result) -> Decision:
    """Return the decision of a run that has ended; ``weighed`` is its last event of that type."""
    even = 1 / len(choices)
    last = weighed or Weighed((*choices,), (even,) * len(choices), 0.0, None, "interrupted")
    return Decision(
        last.choice,
        dict(zip(last.choices, last.probabilities, strict=True)),
        last.why,
        last.mass,
        result.model,
        result.run,
        result.stopped_by,
        result.receipt,
    )

"""Many questions within one budget: ``batch`` and ``abatch``."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from ponder import api
from ponder._version import __version__
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.errors import Limit, RunFailed, UnknownName, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.text import jsontext
from ponder.models.base import Model
from ponder.planning import difficulty, outlooks, presets, questions
from ponder.planning.capabilities import check
from ponder.planning.plan import resolve
from ponder.planning.questions import Question
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec
from ponder.runtime.answered import Answered, BatchResult
from ponder.runtime.batch import Batch, Outcome, Progress, Share
from ponder.runtime.engine import Engine, engine_of
from ponder.runtime.journal import Journal
from ponder.runtime.result import agreement, leader, refusal, votes
from ponder.runtime.stack import World

N = 32
"""Most samples of a question, unless the caller says."""
AT_ONCE = 32
"""Samples in flight, unless the caller says: as many as the embedded engine decodes at once."""
EFFORT = "medium"
"""The effort whose sampling parameters are used."""

Asked = str | Sequence[Message] | Problem | Mapping[str, Any]
"""A question, or a row with the fields ``question`` or ``messages``, ``choices`` and
``answer_type``; nothing else of a row is seen.
"""


class Options(TypedDict, total=False):
    """The keyword arguments of ``abatch``."""

    budget: Budget
    model: str | Path | Model | None
    knobs: Mapping[str, Any] | None
    answer_type: str
    choices: Sequence[str]
    system: str
    seed: int
    at_once: int
    journal: Path | str | bool
    engine: Engine | None
    on_progress: Callable[[Progress], None]


async def abatch(
    asked: Iterable[Asked],
    *,
    budget: Budget,
    model: str | Path | Model | None = None,
    knobs: Mapping[str, Any] | None = None,
    answer_type: str = "auto",
    choices: Sequence[str] = (),
    system: str = "",
    seed: int = 0,
    at_once: int = AT_ONCE,
    journal: Path | str | bool = True,
    engine: Engine | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> BatchResult:
    """Answer many questions within one budget; each next sample goes where it gains most.

    A batch that was interrupted, or that its budget ended, goes on from its journal when the same
    questions are given again with the same model, sampling parameters and seed; recorded samples
    are not paid for again. They count against the budget.

    Args:
        asked: texts, chats, ``Problem`` objects, or rows with the fields ``question`` or
            ``messages``, ``choices`` and ``answer_type``.
        budget: limits of the whole batch; at least one.
        model: as in ``asolve``.
        knobs: ``n``, the most samples of a question, and ``length``, ``temperature``, ``top_p``,
            ``thinking``.
        answer_type: for questions that do not have their own.
        choices: likewise.
        system: a system message for all of them.
        seed: same seed, same samples, as far as the model allows.
        at_once: most requests in flight, and samples that are decided on together.
        journal: a path, True for the default one, False for none.
        engine: as in ``asolve``.
        on_progress: called after every sample.

    Raises:
        UsageError: the call is invalid; nothing was spent.
        RunFailed: no sample arrived.
    """
    given = None if model is None or isinstance(model, str | Path) else model
    if given is not None and not hasattr(given, "generate"):
        raise UsageError(f"model must be a name, a path or a Model, not {given!r}.")
    name = given.info.name if given else None if model is None else str(model)
    async with engine_of(engine) as using:
        wanted = wishes(
            asked, model=name if given else api.model_name(name, using.config), budget=budget,
            knobs=knobs, answer_type=answer_type, choices=choices, system=system, seed=seed,
        )  # fmt: skip
        ready = prepare(
            wanted, using, model=given, at_once=at_once, journal=journal, tell=on_progress
        )
        async with ready as prepared:
            return await prepared.go()


def batch(asked: Iterable[Asked], **options: Unpack[Options]) -> BatchResult:
    """Answer many questions: ``abatch`` for synchronous callers, with the same arguments."""
    return api.wait(lambda: abatch(asked, **options), options.get("engine"))


def wishes(
    asked: Iterable[Asked],
    *,
    model: str | None,
    budget: Budget,
    knobs: Mapping[str, Any] | None = None,
    answer_type: str = "auto",
    choices: Sequence[str] = (),
    system: str = "",
    seed: int = 0,
    place: Callable[[int], str] = lambda i: f"question {i + 1}",
) -> list[Spec]:
    """Return what each question asks for; they differ in nothing but the problem.

    ``place`` says where the i-th question stands, for errors.

    Raises:
        UsageError: a question or a value is invalid, or there is no budget.
    """
    if not isinstance(budget, Budget) or all(limit is None for limit in asdict(budget).values()):
        raise UsageError(
            "a batch needs a budget to allot: give a limit of tokens, dollars, FLOPs or seconds."
        )
    values = {"n": N, **(knobs or {})}
    for name in values:
        if name != "n" and name not in presets.COMMON:
            raise UnknownName("knob", name, ("n", *presets.COMMON))
    if isinstance(asked, str | Mapping):
        raise UsageError("a batch takes a list of questions, not a single one: use solve for that.")
    wish = partial(
        spec, model=model or "", effort=EFFORT, strategy="self_consistency", knobs=values,
        budget=budget, system=system, seed=seed,
    )  # fmt: skip
    wish("?", answer_type=answer_type, choices=choices)  # what is wrong here is no question's fault
    found = []
    for i, one in enumerate(asked):
        read = questions.question(one, place(i)) if isinstance(one, Mapping) else Question(one)
        own = read.answer_type or ("choice" if read.choices else answer_type)
        labels = read.choices or (choices if own in ("auto", "choice") else ())
        try:
            found.append(wish(read.asked, answer_type=own, choices=labels))
        except UsageError as error:
            raise UsageError(f"{place(i)}: {error}") from None
    if not found:
        raise UsageError("there is no question: give at least one.")
    return found


class Prepared:
    """A batch that is ready to ``go``."""

    def __init__(self, batch: Batch, asked: Sequence[Spec], model: str, resumed: bool) -> None:
        self._batch, self._asked, self._model = batch, asked, model
        self.resumed = resumed
        """True if an earlier attempt is taken up."""

    @property
    def run(self) -> str:
        """ID of the recorded run; '' if it is not recorded."""
        return self._batch.run

    def interrupt(self) -> None:
        """Stop now; the result is made of what has arrived."""
        self._batch.interrupt()

    async def go(self) -> BatchResult:
        """Run the batch, and close its record.

        Raises:
            RunFailed: no sample arrived; ``receipt`` holds the cost.
        """
        book, run = self._batch.journal, self._batch.run
        try:
            outcome = await self._batch.go()
        except BaseException:
            if book is not None:
                book.finish(run, "interrupted", None)
            raise
        result = self._result(outcome)
        if book is not None:
            done = outcome.stopped_by == "settled" and not outcome.lost
            book.finish(run, "done" if done else "interrupted", None)
        if not any(share.traces for share in outcome.shares) and outcome.stopped_by != "interrupt":
            failed = RunFailed(_nothing(outcome))
            failed.receipt, failed.run = outcome.receipt, run
            raise failed
        return result

    def _result(self, outcome: Outcome) -> BatchResult:
        first = self._asked[0]
        model, pairs = self._batch.world.model, zip(self._asked, outcome.shares, strict=True)
        answers = [_answered(one, share, model) for one, share in pairs]
        return BatchResult(
            tuple(answers),
            self._model,
            self._batch.run or None,
            first.seed,
            first.budget,
            outcome.stopped_by,
            outcome.receipt,
            outcome.lost,
            difficulty.shipped().basis if any(one.calibrated for one in answers) else "",
        )


@asynccontextmanager
async def prepare(
    asked: Sequence[Spec],
    engine: Engine,
    *,
    model: Model | None = None,
    at_once: int = AT_ONCE,
    journal: Path | str | bool = True,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> AsyncIterator[Prepared]:
    """Set up a batch of questions (see ``wishes``) with the engine's resources.

    Raises:
        UsageError: the model or the budget does not suit, or another process works on the batch.
    """
    if isinstance(at_once, bool) or not isinstance(at_once, int) or at_once < 1:
        raise UsageError(f"at_once must be a whole number above zero, not {at_once!r}.")
    async with api.opened(model or asked[0].model, engine) as used:
        info = used.model.info
        asked = [one.settled(info) for one in asked]
        first = asked[0]
        check(resolve(first, engine.tools), info, priced=used.pricing is not None)
        book, run, resumed = None, "", False
        if journal:
            book = engine.journal(api.journal_path() if journal is True else journal)
            run, resumed = _claimed(book, _identity(asked))
        fit, drawn = difficulty.shipped(), first.sampling.temperature > 0
        limits = asdict(first.budget)
        made = Batch(
            World(used.model, engine.tools.reader.read, pricing=used.pricing),
            [one.problem for one in asked],
            [fit.outlook(one.problem.answer_type) for one in asked],
            n=first.knobs["n"] if drawn else 1,  # greedy samples are all the same
            at_once=at_once,
            sampling=first.sampling,
            budget=first.budget,
            unit=next(unit for unit in UNITS if limits[unit] is not None),
            seed=first.seed,
            journal=book,
            run=run,
            tell=tell,
        )
        yield Prepared(made, asked, info.name, resumed)


UNITS: tuple[Limit, ...] = ("usd", "tokens", "flops", "seconds")


def _identity(asked: Sequence[Spec]) -> dict[str, Any]:
    """Return what must be the same for a batch to be taken up; the budget and n may grow."""
    first = asked[0]
    digest = hashlib.sha256()
    for one in asked:
        digest.update(jsontext.dumps(asdict(one.problem)).encode())
    return {
        "kind": "batch",
        "version": __version__,
        "questions": len(asked),
        "model": first.model,
        "sampling": first.sampling.describe(),
        "seed": first.seed,
        "sha256": digest.hexdigest(),
    }


def _claimed(book: Journal, identity: dict[str, Any]) -> tuple[str, bool]:
    """Return the newest run of that identity that has not ended, claimed, or else a new one."""
    for row in book.runs():
        if row.state != "done" and row.spec == identity:
            book.claim(row.id)
            return row.id, True
    return book.create(identity), False


def _calibrated(asked: Spec, model: Model) -> bool:
    return asked.sampling.temperature > 0 and outlooks.covered(asked, model)


def _answered(asked: Spec, share: Share, model: Model) -> Answered:
    chosen = leader(share.traces)
    confidence = agreement(chosen, share.traces) if chosen else None
    seen = votes(chosen, share.traces) if chosen and confidence is not None else None
    calibrated = seen is not None and _calibrated(asked, model)
    if seen is not None and calibrated:
        confidence = difficulty.shipped().outlook(asked.problem.answer_type).right(seen)
    spent = share.spent
    return Answered(
        chosen.answer.text if chosen and chosen.answer else None,
        confidence,
        len(share.traces),
        spent.cost.tokens,
        spent.picousd / PICO,
        share.stopped_by,
        calibrated,
        None if chosen else refusal(share.traces),
    )


def _nothing(outcome: Outcome) -> str:
    if outcome.receipt.overcharged:
        return f"no sample came back: {outcome.receipt.overcharged}"
    if outcome.lost:
        return f"no sample came back: {outcome.lost}"
    return (
        f"the budget of {outcome.stopped_by} does not allow one sample of its full length: give a "
        "larger one, or a smaller length."
    )

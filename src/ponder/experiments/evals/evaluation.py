"""Answers every problem of a suite with every configuration, into a results store.

Each problem of each configuration is one run of the store's journal, carried out like any other
run. Repeated, an evaluation continues from the store: runs that have ended are left alone,
interrupted ones are resumed, failed ones are tried again. Grading comes after the runs, with the
gold that they never saw, and can be repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ponder import api
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item as Spent
from ponder.core.errors import (
    BudgetTooSmall,
    ModelError,
    RunFailed,
    UsageError,
)
from ponder.core.problem import Problem
from ponder.core.record.effects import GENERATE, PROGRAM
from ponder.experiments.evals.configurations import Configuration
from ponder.experiments.evals.store import Outcome, Store, Stored
from ponder.experiments.suites.base import Item
from ponder.models.fetch import sha256_of
from ponder.models.opening import Opened
from ponder.planning.spec import Spec
from ponder.runtime.engine import Engine, engine_of
from ponder.runtime.journal import Journal
from ponder.util.bounded import bounded
from ponder.verifiers.learned.verifier import Learned
from ponder.verifiers.registry import known, within

AT_ONCE = 8
"""Default number of problems in flight."""
GIVE_UP = 16
"""Number of failed runs in a row after which the model is considered gone."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A request to evaluate configurations on items."""

    items: Mapping[int, Item]
    """Items by their position in the suite; any part of it."""
    configurations: Sequence[Configuration]
    at_once: int = AT_ONCE
    """Number of problems in flight."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of an evaluation, in problems."""

    wanted: int
    done: int
    kept: int
    """Number that had ended before; tokens and dollars exclude these."""
    failed: int = 0
    tokens: int = 0
    usd: float = 0.0


Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class _Task:
    """One problem of one configuration."""

    id: str
    configuration: Configuration
    position: int
    item: Item
    asked: Spec
    misfit: str = ""
    """Reason why it cannot be asked at all; empty if it can."""

    def outcome(self, run: str, **more: Any) -> Outcome:
        item = self.item
        question = digest(item.problem)
        return Outcome(item.problem_id, self.position, item.level, question, run, **more)


def digest(problem: Problem) -> str:
    """Return a digest of the question: equal for equal problems."""
    asked = replace(problem, messages=problem.shown, examples=()).describe()
    del asked["instruction"]  # it is among the messages, as the examples are
    return hashlib.blake2b(json.dumps(asked).encode(), digest_size=8).hexdigest()


async def evaluate(
    asked: Evaluation,
    store: Store,
    *,
    models: Mapping[str, Opened] | None = None,
    tell: Tell = lambda progress: None,
    engine: Engine | None = None,
) -> None:
    """Run everything that the store does not hold yet.

    Cancelling it loses only the runs in flight. ``models`` are used, and left open, for
    configurations that name them; the engine opens the others.

    Raises:
        UsageError: a configuration cannot be carried out, and nothing was spent; or the store
            holds other questions, or another process works on the same runs.
        RunFailed: the model gives no samples (any more); finished runs are kept.
    """
    missing = list(_missing(asked, store))
    kept = len(asked.configurations) * len(asked.items) - len(missing)
    async with engine_of(engine) as using, AsyncExitStack() as closing:
        opened = {**models} if models else {}
        for name in dict.fromkeys(task.configuration.model for task in missing):
            if name not in opened:
                opened[name] = await closing.enter_async_context(using.model(name))
        tasks = await _checked(asked, missing, opened, using)
        hashes = await asyncio.to_thread(_hashes, opened)
        for configuration in asked.configurations:
            if used := opened.get(configuration.model):
                store.declare(_stored(configuration, used, hashes[configuration.model]))
            if configuration.name:
                store.rename(configuration.id, configuration.name)
        state = Progress(kept + len(missing), kept, kept)
        await _Runs(store, using, opened, state, tell).go(tasks, asked.at_once)


def _missing(asked: Evaluation, store: Store) -> Iterator[_Task]:
    """Yield the problems whose runs have not ended well, configuration by configuration."""
    for configuration in asked.configurations:
        name = configuration.id
        known = {outcome.problem_id: outcome for outcome in store.outcomes(name)}
        for position, item in asked.items.items():
            held = known.get(item.problem_id)
            if held and held.question != digest(item.problem):
                raise UsageError(
                    f"{store.path} holds another question as {item.problem_id!r}: the suite is not "
                    "what it was, so name another store with --store."
                )
            if held is None or held.state != "done":
                yield _Task(name, configuration, position, item, configuration.asked(item))


async def _checked(
    asked: Evaluation, tasks: Iterable[_Task], opened: Mapping[str, Opened], engine: Engine
) -> list[_Task]:
    """Return the tasks, with those that do not fit marked.

    Raises:
        UsageError: the model or the strategy cannot do what a configuration asks, none of its
            problems fits, or its verifier was trained on some.
    """
    _check_untrained(asked)
    found, misfits = [], dict[str, int]()
    for task in tasks:
        used, name = opened[task.configuration.model], task.id
        try:
            async with api.prepare(task.asked, engine, model=used, journal=False):
                pass
        except BudgetTooSmall as error:
            misfits[name] = misfits.get(name, 0) + 1
            if misfits[name] == len(asked.items):
                raise
            task = replace(task, misfit=str(error))
        found.append(task)
    return found


def _check_untrained(asked: Evaluation) -> None:
    """Refuse to evaluate on training problems: such figures are worth nothing.

    Raises:
        UsageError: a learned verifier was trained on some of the problems.
    """
    asks = known(*(c.verifier or "" for c in asked.configurations)).values()
    for verifier in (part for whole in asks for part in within(whole)):
        if isinstance(verifier, Learned) and any(
            verifier.scorer.knows(item.problem_id) for item in asked.items.values()
        ):
            raise UsageError(
                f"{verifier.name} was trained on some of these problems: evaluate it on others, or "
                "train it on others."
            )


def _hashes(opened: Mapping[str, Opened]) -> dict[str, str]:
    return {name: sha256_of(used.path) if used.path else "" for name, used in opened.items()}


def _stored(configuration: Configuration, used: Opened, sha256: str) -> Stored:
    return Stored(
        configuration.id,
        time.time(),
        configuration.label,
        configuration.suite,
        configuration.model,
        used.model.info.shape.parameters,
        used.pricing is not None,
        sha256,
        configuration.resolved(),
    )


@dataclass(slots=True)
class _Runs:
    """Carries out tasks, and reports the state after each."""

    store: Store
    engine: Engine
    opened: Mapping[str, Opened]
    state: Progress
    tell: Tell
    journal: Journal = field(init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.journal = self.engine.journal(self.store.path, join=True)

    async def go(self, tasks: Sequence[_Task], at_once: int) -> None:
        """Run all tasks in order, so many at a time."""
        self.tell(self.state)
        try:
            await bounded(self._one, tasks, at_once)
        finally:
            self.journal.flush()

    async def _one(self, task: _Task) -> None:
        if task.misfit:
            outcome = task.outcome("", state="refused", why=task.misfit)
        else:
            run, why = self._run(task), ""
            if self.journal.run(run).state != "done":
                why = await self._go(task, run)
            outcome = _outcome(task, self.journal, run, why)
        self.store.finish(task.id, outcome)
        self._count(outcome)
        if outcome.stopped_by == "overcharged":
            raise RunFailed(
                f"{task.configuration.model} charged more than a run allowed, so no other is begun "
                "with it: see the run's receipt."
            )

    def _run(self, task: _Task) -> str:
        """Return the run that answers a problem; starts it if there is none."""
        known = self.store.run_of(task.id, task.item.problem_id)
        if known:
            with suppress(UsageError):  # it was removed from the journal
                return self.journal.run(known).id
        info = self.opened[task.configuration.model].model.info
        new = self.journal.create(task.asked.settled(info).to_json())
        run = self.store.begin(task.id, task.outcome(new, state="open"), known)
        if run != new:
            self.journal.remove(new)
        return run

    async def _go(self, task: _Task, run: str) -> str:
        """Carry out or resume a run; returns why it failed, if it did."""
        used = self.opened[task.configuration.model]
        ready = api.prepare(task.asked, self.engine, model=used, journal=self.store.path, run=run)
        async with ready as runner:
            try:
                await runner.go()
            except (RunFailed, ModelError) as error:
                return str(error)
            except BaseException:
                self.journal.finish(run, "interrupted", None)
                raise
        return ""

    def _count(self, outcome: Outcome) -> None:
        was, failed = self.state, outcome.state == "failed"
        self.state = Progress(
            was.wanted,
            was.done + 1,
            was.kept,
            was.failed + failed,
            was.tokens + outcome.tokens,
            was.usd + outcome.usd,
        )
        self.tell(self.state)
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= GIVE_UP:
            raise RunFailed(f"{self._failures} runs in a row failed: {outcome.why}")


def _outcome(task: _Task, journal: Journal, run: str, why: str) -> Outcome:
    """Return the outcome of an ended run from the journal: the same after a crash as before it."""
    row, calls, total = journal.run(run), journal.calls(run), Spent("total", "")
    keys: dict[str | None, str | None] = {}
    samples = 0
    for call in calls:
        if call.effect.get("role") == GENERATE:  # the others are programs and verifiers' calls
            sample = call.result if isinstance(call.result, dict) else {}
            text, key = sample.get("answer") or (None, None)
            keys[text] = key
        if call.spent is None:
            continue
        total = total.plus(call.spent)
        if call.spent.role in (GENERATE, PROGRAM):
            samples += call.spent.calls
    result = row.result or {}
    return task.outcome(
        run,
        state="failed" if why else "done",
        why=why,
        answer=result.get("answer"),
        key=keys.get(result.get("answer")),
        stopped_by=result.get("stopped_by"),
        confidence=result.get("confidence"),
        calls=samples,
        prompt_tokens=total.prompt_tokens,
        cached_tokens=total.cached_tokens,
        completion_tokens=total.completion_tokens,
        wasted_tokens=total.wasted_tokens,
        usd=total.picousd / PICO,
        flops=float(total.flops),
        seconds=round(total.seconds, 6),
    )

"""The Python interface: ``solve``, ``asolve``, ``stream`` and ``resume``."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, cast

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem
from ponder.core.record.events import Event, Subscriber
from ponder.core.sessions.run import ignore
from ponder.core.worth import Worth
from ponder.models import catalog, names
from ponder.models.base import Model
from ponder.models.config import Config
from ponder.models.home import models_dir
from ponder.models.opening import Opened
from ponder.planning import outlooks, presets
from ponder.planning import plans as planned
from ponder.planning import trust as trusting
from ponder.planning.capabilities import check, payable
from ponder.planning.plan import resolve
from ponder.planning.plans import Plans
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec
from ponder.runtime.continuing import Continuing, begun
from ponder.runtime.engine import Engine, engine_of
from ponder.runtime.job import Job
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner

T = TypeVar("T")
Question = str | Sequence[Message] | Problem


def journal_path() -> Path:
    """Return the default journal: ``runs.sqlite`` in Ponder's home."""
    return models_dir().parent / "runs.sqlite"


@asynccontextmanager
async def prepare(
    asked: Spec,
    engine: Engine,
    *,
    model: Model | Opened | None = None,
    journal: Path | str | bool = True,
    run: str = "",
    publish: Subscriber = ignore,
) -> AsyncIterator[Runner]:
    """Set up a run with the engine's resources, and yield a runner that is ready to ``go``.

    ``model`` is used, and left open, if given (with its pricing and notes if it is an ``Opened``);
    otherwise the engine opens the model ``asked.model``. ``run`` is the ID of a run to resume.
    """
    await engine.tools.reader.check(asked.problem)
    async with AsyncExitStack() as using:
        plan = resolve(asked, engine.tools)
        used = await using.enter_async_context(opened(model or asked.model, engine))
        settled = asked.settled(used.model.info)
        if settled.may_compute and await engine.tools.calculates():
            settled = settled.computing()
        if settled != asked:
            asked, plan = settled, resolve(settled, engine.tools)
        check(plan, used.model.info, priced=used.pricing is not None)
        if plan.chosen.executes:
            await engine.tools.calculator()  # refused before anything is spent, if there is none
        others = await using.enter_async_context(opened_all(plan.others, asked.budget, engine))
        for name in filter(None, plan.needs):
            other = others[name]
            check(plan, other.model.info, priced=other.pricing is not None, model=name)
        job = Job(
            problem=asked.problem,
            strategy=plan.chosen,
            name=asked.strategy,
            knobs=asked.shown_knobs,
            sampling=asked.sampling,
            budget=asked.budget,
            seed=asked.seed,
            model=Continuing(used.model) if begun(asked.problem.messages) else used.model,
            read=engine.tools.reader.read,
            verifiers=plan.verifiers,
            verifier=asked.verifier,
            pricing=used.pricing,
            others=others,
            notes=tuple(dict.fromkeys(n for one in (used, *others.values()) for n in one.notes)),
            steps=plan.chosen.stepwise,
            written=plan.chosen.strategy.written,
            worth=asked.worth,
            outlook=outlooks.outlook(asked),
            calibrated=outlooks.calibrated(asked, used.model),
            sandbox=engine.tools.calculator,
        )
        job.check()
        book = None
        if journal:
            book = engine.journal(journal_path() if journal is True else journal)
            if run:
                book.claim(run)
            else:
                run = book.create(asked.to_json())
        yield engine.start(job, journal=book, run=run, publish=publish)


@asynccontextmanager
async def opened(model: str | Model | Opened, engine: Engine) -> AsyncIterator[Opened]:
    """Yield the given model, or the engine's model of that name."""
    if isinstance(model, str):
        async with engine.model(model) as used:
            yield used
    else:
        yield model if isinstance(model, Opened) else Opened(model)


@asynccontextmanager
async def opened_all(
    names: Sequence[str], budget: Budget, engine: Engine
) -> AsyncIterator[dict[str, Opened]]:
    """Yield the models that are used besides the run's own, by name.

    Raises:
        UsageError: the budget cannot be enforced with one of them.
    """
    async with AsyncExitStack() as using:
        found = {}
        for name in dict.fromkeys(names):
            used = found[name] = await using.enter_async_context(engine.model(name))
            payable(budget, used.model.info, priced=used.pricing is not None)
        yield found


def model_name(name: str | None, config: Config) -> str:
    """Return the name of the model to open: the one given, the configured default, or Ponder's own.

    Raises:
        UsageError: there is no such model, or the default needs the caller's explicit choice.
    """
    names.resolve(name, config)
    return name or config.model or catalog.DEFAULT


class Options(TypedDict, total=False):
    """The keyword arguments of ``asolve``."""

    model: str | Path | Model | None
    effort: str
    strategy: str | None
    knobs: Mapping[str, Any] | None
    budget: Budget | None
    verifier: str | None
    answer_type: str
    choices: Sequence[str]
    schema: str
    system: str
    seed: int
    worth: Worth | float | str | None
    plans: Plans | Path | str | None
    journal: Path | str | bool
    engine: Engine | None


class Watched(Options, total=False):
    """The same, and a subscriber of events."""

    on_event: Subscriber


async def asolve(
    question: Question,
    *,
    model: str | Path | Model | None = None,
    effort: str = presets.DEFAULT,
    strategy: str | None = None,
    knobs: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    verifier: str | None = None,
    answer_type: str = "auto",
    choices: Sequence[str] = (),
    schema: str = "",
    system: str = "",
    seed: int = 0,
    worth: Worth | float | str | None = None,
    plans: Plans | Path | str | None = None,
    journal: Path | str | bool = True,
    engine: Engine | None = None,
    on_event: Subscriber = ignore,
) -> Result:
    """Answer one question within a budget.

    Args:
        question: a text, chat messages, or a ``Problem`` (used as it is, nothing added).
        model: a name from the catalog or from ``ponder.toml``, a path to a ``.gguf``, a hub
            reference, or a ``Model``. By default the one in ``ponder.toml``, else a small one that
            runs on this machine.
        effort: ``none``, ``minimal``, ``low``, ``medium``, ``high``, ``xhigh``, ``max`` or
            ``auto``.
        strategy: replaces the preset's.
        knobs: those of the strategy, and ``length``, ``temperature``, ``top_p``, ``thinking``,
            ``style``; each replaces the preset's.
        budget: limits; each replaces the preset's.
        verifier: for strategies that need one; see ``docs/verifiers.md``.
        answer_type: the type of the answer; ``auto`` guesses by the question's form.
        choices: labels to choose from.
        schema: a JSON Schema as JSON text.
        system: a system message.
        seed: same seed, same samples, as far as the model allows.
        worth: worth of a right answer, in dollars or such as ``5000 tokens``: thinking stops when
            its expected gain falls below its price.
        plans: a file of ``ponder tune`` whose plans replace those of the efforts that it names.
        journal: a path, True for the default one, False for none.
        engine: keeps models, connections and workers for later calls; by default there is one for
            this call alone.
        on_event: called with every event.

    Raises:
        UsageError: the call is invalid; nothing was spent.
        RunFailed: no sample arrived.
    """
    if isinstance(model, Path):
        model = str(model)
    given = None if model is None or isinstance(model, str) else model
    if given is not None and not hasattr(given, "generate"):
        raise UsageError(f"model must be a name, a path or a Model, not {given!r}.")
    async with engine_of(engine) as using:
        read = planned.given(plans, using.config)
        named = model is not None
        config = read.over(using.config, effort, named=named) if read else using.config
        asked = spec(
            question,
            model=given.info.name if given else model_name(cast(str | None, model), config),
            effort=effort,
            strategy=strategy,
            knobs=knobs,
            budget=budget,
            verifier=verifier,
            answer_type=answer_type,
            choices=choices,
            schema=schema,
            system=system,
            seed=seed,
            worth=worth,
            plans=read,
        )
        ready = prepare(asked, using, model=given, journal=journal, publish=on_event)
        async with ready as runner:
            return await runner.go()


def solve(question: Question, **options: Unpack[Watched]) -> Result:
    """Answer one question: ``asolve`` for synchronous callers, with the same arguments.

    It works in notebooks too. For many questions, pass an ``engine`` that was opened with ``with``,
    so that models stay open.
    """
    return wait(lambda: asolve(question, **options), options.get("engine"))


async def stream(
    question: Question, **options: Unpack[Options]
) -> AsyncGenerator[Event | Result, None]:
    """Run ``asolve`` and yield every event, then the result.

    Closing the iterator cancels the run; its calls so far stay in the journal.
    """
    told: asyncio.Queue[Event | None] = asyncio.Queue()
    task = asyncio.ensure_future(asolve(question, on_event=told.put_nowait, **options))
    task.add_done_callback(lambda _: told.put_nowait(None))
    try:
        while (event := await told.get()) is not None:
            yield event
        yield await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def aresume(
    run: str,
    *,
    model: Model | None = None,
    journal: Path | str | bool = True,
    trust: Collection[str] = (),
    engine: Engine | None = None,
    on_event: Subscriber = ignore,
) -> Result:
    """Resume an interrupted run; recorded calls are not paid for again.

    ``run`` is its ID, or an unambiguous prefix of it; ``model`` is needed if the run had one that
    was not opened by name. ``trust`` are the scripts, files and models that the run may use though
    only its journal names them (``ponder.planning.trust``).

    Raises:
        UsageError: there is no such run, or it is done, or its plan has names that ``trust`` lacks.
    """
    async with engine_of(engine) as using:
        ready = resuming(run, using, model=model, journal=journal, trust=trust, publish=on_event)
        async with ready as runner:
            return await runner.go()


def resuming(
    run: str,
    engine: Engine,
    *,
    model: Model | Opened | None = None,
    journal: Path | str | bool = True,
    trust: Collection[str] = (),
    publish: Subscriber = ignore,
) -> AbstractAsyncContextManager[Runner]:
    """Set up a recorded run as ``prepare`` does. Raises as ``aresume``."""
    if journal is False:
        raise UsageError("a run is resumed from its journal: name it.")
    path = journal_path() if journal is True else journal
    if not Path(path).exists():
        raise UsageError(f"there is no journal {path}: name the one that the run is in.")
    row = engine.journal(path).run(run)
    if row.state == "done":
        raise UsageError(f"run {row.id} has ended: see it with 'ponder runs show {row.id}'.")
    if "problem" not in row.spec:
        batch = row.spec.get("kind") == "batch"
        what, command = (
            ("a batch", "batch") if batch else ("the recording of a pool", "pool record")
        )
        raise UsageError(f"run {row.id} is {what}: give 'ponder {command}' again as it was.")
    asked = Spec.from_json(row.spec)
    own = Path(path).resolve() == journal_path().resolve()
    trusting.check(
        asked,
        engine.config,
        trust,
        own=own,
        model=model is not None,
        how=f"ponder runs resume {row.id}" + ("" if own else f" --journal {path}"),
    )
    return prepare(asked, engine, model=model, journal=path, run=row.id, publish=publish)


def resume(run: str, **options: Any) -> Result:
    """Resume a run: ``aresume`` for synchronous callers, with the same arguments."""
    return wait(lambda: aresume(run, **options), options.get("engine"))


def wait(start: Callable[[], Coroutine[Any, Any, T]], engine: Engine | None = None) -> T:
    """Run a coroutine to its end, for a caller without an event loop or inside one.

    It runs on the engine's loop if an engine is given.
    """
    if engine is not None:
        if not isinstance(engine, Engine):
            raise UsageError(f"engine must be a ponder.Engine, not {engine!r}.")
        return engine.wait(start)
    if not _in_loop():
        return asyncio.run(start())
    with ThreadPoolExecutor(1, "ponder-solve") as thread:
        return thread.submit(lambda: asyncio.run(start())).result()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

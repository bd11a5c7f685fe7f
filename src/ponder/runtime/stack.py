"""The handlers of a run, stacked in their order, and what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ponder.core.budget import Budget
from ponder.core.effects import GENERATE, Handler
from ponder.core.events import Decision, Subscriber
from ponder.core.ledger import Ledger
from ponder.core.problem import Problem
from ponder.core.run import Cue, boxed, ignore
from ponder.models.base import Model, Priced, Pricing
from ponder.runtime.handlers.admission import Admission
from ponder.runtime.handlers.budgeted import budgeted
from ponder.runtime.handlers.live import Read, live
from ponder.runtime.handlers.meter import Meter
from ponder.runtime.handlers.recorded import Book, recorded
from ponder.runtime.handlers.retried import retried
from ponder.runtime.handlers.steered import steered
from ponder.runtime.handlers.traced import traced
from ponder.runtime.inbox import Inbox
from ponder.runtime.journal import Journal
from ponder.runtime.records import Row
from ponder.verifiers.base import Verifier


@dataclass(frozen=True, slots=True)
class World:
    """What a run's effects meet: a model, what it costs, who reads its answers, verifiers, and the
    other models that those ask, by name.
    """

    model: Model
    read: Read
    verifiers: Mapping[str, Verifier] = field(default_factory=dict)
    pricing: Pricing | None = None
    others: Mapping[str, Priced] = field(default_factory=dict)
    cue: Callable[[Problem], Cue] = boxed


@dataclass(frozen=True, slots=True)
class Stack:
    """``perform`` answers effects, and books them in ``ledger`` as ``admission`` lets them through;
    ``rows`` are what the journal held at the beginning. ``decide`` records a decision.
    """

    perform: Handler
    ledger: Ledger
    admission: Admission
    rows: Sequence[Row] = ()
    decide: Callable[[Decision], None] = ignore


def stack(
    world: World,
    budget: Budget,
    *,
    journal: Journal | None = None,
    run: str = "",
    ordered: bool = True,
    exact_length: bool = False,
    last_word: bool = False,
    inbox: Inbox | None = None,
    publish: Subscriber = ignore,
    watched: bool = False,
) -> Stack:
    """Build the handlers of a run; call it on the event loop that the run will use.

    What the journal holds of ``run`` is booked at once and answered from; ``ordered`` says whether
    in the order in which it was recorded. With ``exact_length``, samples are refused by the budget
    rather than shortened. With ``last_word``, a chain is to be made to answer should none have.
    ``watched`` publishes every event, not results alone.
    """
    loop = asyncio.get_running_loop()
    ledger = Ledger(loop.time)
    rows: Sequence[Row] = journal.calls(run) if journal else []
    for row in rows:
        if row.spent is not None:
            ledger.book(row.spent)
    deadline = None
    if budget.seconds is not None:
        deadline = loop.time() + budget.seconds - ledger.total.seconds
    admission = Admission(budget, ledger)
    models = {"": Priced(world.model, world.pricing), **world.others}
    meters = {name: Meter(used.model, used.pricing, world.cue) for name, used in models.items()}
    talkers = {name: used.model for name, used in models.items()}
    handler = steered(live(talkers, world.verifiers, world.read), inbox)
    answered = not last_word or any(_answer(row) for row in rows)
    handler = budgeted(
        handler, admission, ledger, meters, deadline, exact_length=exact_length, answered=answered
    )
    handler = retried(handler)
    decide: Callable[[Decision], None] = ignore
    if journal:
        book = Book(journal, run, rows, ordered=ordered)
        handler, decide = recorded(handler, book), book.decide
    handler = traced(handler, publish, ledger, loop.time, watched=watched)
    return Stack(handler, ledger, admission, rows, decide)


def _answer(row: Row) -> bool:
    """Whether a recorded effect is a chain with an answer that may become the run's."""
    effect, result = row.effect, row.result
    return effect.get("role") == GENERATE and bool(result) and result["answer"] is not None

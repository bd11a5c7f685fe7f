"""The stack of a run's handlers, and the state that they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Ledger
from ponder.core.problem import Problem
from ponder.core.record.effects import Handler
from ponder.core.record.events import Decision, Subscriber
from ponder.core.sessions.run import Cue, boxed, ignore
from ponder.models.base import Model, Priced, Pricing
from ponder.runtime.handlers.admission import Admission
from ponder.runtime.handlers.budgeted import budgeted
from ponder.runtime.handlers.live import live
from ponder.runtime.handlers.meter import Meter
from ponder.runtime.handlers.recorded import Book, recorded
from ponder.runtime.handlers.retried import retried
from ponder.runtime.handlers.steered import steered
from ponder.runtime.handlers.traced import traced
from ponder.runtime.inbox import Inbox
from ponder.runtime.journal import Journal
from ponder.runtime.programs import Read, Where, nowhere
from ponder.runtime.records import Row
from ponder.verifiers.base import Verifier


@dataclass(frozen=True, slots=True)
class World:
    """The resources that answer a run's effects."""

    model: Model
    read: Read
    """Reads the answer of a text."""
    verifiers: Mapping[str, Verifier] = field(default_factory=dict)
    pricing: Pricing | None = None
    """Prices of the model; None if unknown."""
    others: Mapping[str, Priced] = field(default_factory=dict)
    """The models that strategies and verifiers use besides the run's own, by name."""
    cue: Callable[[Problem], Cue] = boxed
    """Returns the cue that forces an answer to a problem."""
    sandbox: Where = nowhere
    """Finds the sandbox that runs programs."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A run's handlers."""

    perform: Handler
    """Answers effects."""
    ledger: Ledger
    """The costs of the calls."""
    admission: Admission
    """Admits calls within the budget."""
    meters: Mapping[str, Meter]
    """The prices of each model, by its name in the run."""
    rows: Sequence[Row] = ()
    """The journal's rows at the start."""
    decide: Callable[[Decision], None] = ignore
    """Records a decision."""


def stack(
    world: World,
    budget: Budget,
    *,
    journal: Journal | None = None,
    run: str = "",
    ordered: bool = True,
    exact_length: bool = False,
    concludes: bool = False,
    inbox: Inbox | None = None,
    publish: Subscriber = ignore,
    watched: bool = False,
) -> Stack:
    """Build the handlers of a run; call it on the event loop that the run will use.

    The journal's rows of ``run`` are booked at once and replayed; ``ordered``: in the order in
    which they were recorded. With ``exact_length``, the budget refuses samples rather than
    shortening them. If it ``concludes``, truncated chains are made to answer, and enough budget is
    kept for an answer. With ``watched``, every event is published, not only results.
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
    handler = steered(live(talkers, world.verifiers, world.read, world.sandbox), inbox)
    handler = budgeted(
        handler,
        admission,
        ledger,
        meters,
        deadline,
        exact_length=exact_length,
        concludes=concludes,
    )
    handler = retried(handler)
    decide: Callable[[Decision], None] = ignore
    if journal:
        paced = ordered and admission.limited
        book = Book(journal, run, rows, ordered=ordered, paced=paced)
        handler, decide = recorded(handler, book), book.decide
    handler = traced(handler, publish, ledger, loop.time, watched=watched)
    return Stack(handler, ledger, admission, meters, rows, decide)

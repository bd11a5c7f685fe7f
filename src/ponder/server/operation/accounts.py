"""Operation: what each run is allowed, and what is counted, logged and traced of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponder.api import journal_path
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO, Cost
from ponder.core.costs.ledger import Receipt
from ponder.core.errors import BudgetTooSmall, RunFailed
from ponder.core.record.events import Event, Subscriber
from ponder.core.sessions.run import ignore
from ponder.models.opening import Opened
from ponder.planning.spec import Spec
from ponder.runtime.engine import Engine
from ponder.runtime.handlers.meter import Meter
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.server.asking.asked import Planned, lowered
from ponder.server.keys import Key
from ponder.server.operation.gate import Gate
from ponder.server.operation.metrics import Metrics, saved
from ponder.server.operation.spending import Spending
from ponder.server.settings import Settings
from ponder.strategies import registry as strategies

if TYPE_CHECKING:
    from ponder.server.operation.traces import RunSpan, Traces

FILE = "spending.sqlite"
"""Name of the record of spending, in the folder of the journal."""


@dataclass(slots=True)
class Seen:
    """A request in progress, as its log will tell of it."""

    id: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    """Facts of its runs that have ended."""
    logged: bool = False
    """True once its line was written."""


SEEN: ContextVar[Seen] = ContextVar("ponder_request")
"""The request that is served now, for the runs that it starts."""


class Operation:
    """All of it, for one application."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        gate: Gate,
        log: Callable[[str, dict[str, Any]], None],
        traces: Traces | None = None,
    ) -> None:
        self._engine, self._log = engine, log
        self.metrics, self.traces = Metrics(gate), traces
        self.draining = False
        """True once the server was told to stop."""
        self._keys: Mapping[str, Key] = {key.name: key for key in settings.keys}
        limited = any(key.limited for key in settings.keys)
        self.spending = Spending(settings.spending or beside(settings.journal)) if limited else None

    @property
    def ready(self) -> bool:
        """True if requests are welcome."""
        return self._engine.open and not self.draining

    def close(self) -> None:
        """Close the record of spending, and send the traces that were not sent yet."""
        if self.spending is not None:
            self.spending.close()
        if self.traces is not None:
            self.traces.close()

    def admit(self, key: Key) -> None:
        """Count a request that starts runs.

        Raises:
            ApiError: the key has asked too often.
        """
        if self.spending is not None:
            self.spending.admit(key)

    @contextmanager
    def run(
        self, name: str, planned: Planned, used: Opened, *, resumed: bool = False
    ) -> Iterator[Running]:
        """Account for one run of the key ``name``. A ``resumed`` one has to ask for what it has
        asked for: its plan stays as it was recorded, what it spends is booked, and it is never
        refused, since it may have been paid for.

        Raises:
            ApiError: today's budget of the key cannot pay for it.
        """
        running = Running(planned, SEEN.get(None))
        key = self._keys.get(name)
        with ExitStack() as stack:
            if self.spending is not None and key is not None and key.daily:
                if resumed:
                    stack.callback(running.book, self.spending, key)
                else:
                    stack.enter_context(running.held(self.spending, key, used))
            if self.traces is not None:
                running.span = stack.enter_context(self.traces.run(running.planned.spec))
            try:
                yield running
            except BaseException as error:
                if running.runner is not None:
                    receipt = error.receipt if isinstance(error, RunFailed) else None
                    self._told(running, name, "failed", receipt or Receipt(()))
                elif isinstance(error, BudgetTooSmall) and running.lowered:
                    assert self.spending is not None
                    assert key is not None
                    raise self.spending.exhausted(key) from None
                raise
            if (result := running.result) is not None:
                self._told(running, name, result.stopped_by, result.receipt)

    def _told(self, running: Running, name: str, ended: str, receipt: Receipt) -> None:
        spec, total = running.planned.spec, receipt.total
        run = running.runner.run if running.runner is not None else ""
        done = 0 if ended == "failed" else saved(spec.knobs, receipt.items)
        fresh = receipt.items if running.spent != Cost() else ()  # not one that was only replayed
        self.metrics.ran(spec.model, spec.strategy, ended, fresh, done)
        if running.span is not None:
            running.span.told(run, ended, total)
        facts = {
            "run": run or None,
            "model": spec.model,
            "strategy": spec.strategy,
            "ended": ended,
            "calls": total.calls,
            "tokens": total.cost.tokens,
            "usd": total.picousd / PICO,
        }
        seen = running.seen
        if seen is not None and not seen.logged:
            seen.runs.append({k: v for k, v in facts.items() if v is not None})
        else:  # it has outlived its request
            of = {"request": seen.id if seen else None, "key": name or None}
            self._log("run", {**of, **facts})


class Running:
    """One run."""

    def __init__(self, planned: Planned, seen: Seen | None) -> None:
        self.planned = planned
        """Its plan, within what is left to its key."""
        self.seen = seen
        self.lowered = False
        """True if less is left to its key than it could have spent."""
        self.span: RunSpan | None = None
        self.runner: Runner | None = None
        self.result: Result | None = None

    @property
    def spent(self) -> Cost:
        """Its cost so far."""
        return self.runner.spent if self.runner is not None else Cost()

    @contextmanager
    def held(self, spending: Spending, key: Key, used: Opened) -> Iterator[None]:
        """Hold what it may cost, limit it to what is left, and settle what it has spent.

        Raises:
            ApiError: nothing is left.
        """
        spec = self.planned.spec.settled(used.model.info)
        held, left = spending.hold(key, lambda left: most(spec, used, left))
        cost = held.cost
        self.lowered = (key.day_tokens is not None and cost.tokens >= left.tokens) or (
            key.day_usd is not None and cost.picousd >= left.picousd
        )
        limit = Budget(
            None if key.day_tokens is None else left.tokens,
            None if key.day_usd is None or not cost.picousd else left.picousd / PICO,
        )
        spec = replace(spec, budget=lowered(spec.budget, limit))
        self.planned = replace(self.planned, spec=spec)
        try:
            yield
        finally:
            spending.settle(held, self.spent)

    def book(self, spending: Spending, key: Key) -> None:
        """Book what it has spent, of which nothing was held."""
        spending.book(key, self.spent)

    def heard(self, publish: Subscriber) -> Subscriber:
        """Return a subscriber that passes the events on, and traces them if that is wanted."""
        span = self.span
        if span is None:
            return publish
        if publish is ignore:
            return span.hear

        def both(event: Event) -> None:
            span.hear(event)
            publish(event)

        return both


def most(spec: Spec, used: Opened, left: Cost) -> Cost:
    """Return what a run can cost at most, and no more than is left."""
    info, pricing = used.model.info, used.pricing
    tokens = spec.budget.tokens
    picousd = None if spec.budget.usd is None else int(spec.budget.usd * PICO)
    alone = not spec.verifier and not strategies.choose(spec.strategy, spec.knobs).models
    dearest = None
    if alone and spec.strategy == "direct":  # one sample
        prompt = used.model.prompt_bound(spec.problem.shown)
        one = Meter(used.model, pricing).most(prompt, 0, spec.sampling.length + info.beside)
        tokens = min(one.tokens, tokens or one.tokens)
        dearest = one.picousd
    elif alone and tokens is not None and pricing is not None:
        dearest = max(pricing(tokens, 0, 0, tokens, tokens), pricing(0, 0, tokens))
    if alone and info.local:
        picousd = 0
    elif dearest is not None and pricing is not None:
        picousd = min(dearest, picousd or dearest)
    return Cost(
        left.tokens if tokens is None else min(left.tokens, tokens),
        left.picousd if picousd is None else min(left.picousd, picousd),
    )


def beside(journal: Path | str | bool) -> Path:
    """Return the record of spending that belongs to a journal."""
    return (journal_path() if isinstance(journal, bool) else Path(journal)).with_name(FILE)

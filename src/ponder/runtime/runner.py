"""The runner of one job: stacks the handlers, keeps the best so far, sums up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ponder.core.costs.cost import Cost
from ponder.core.costs.ledger import Ledger, Receipt
from ponder.core.errors import (
    LimitReached,
    ModelError,
    PonderError,
    RunFailed,
)
from ponder.core.record.effects import GENERATE, PROGRAM
from ponder.core.record.events import (
    Decided,
    Decision,
    Ended,
    Event,
    Grew,
    RunStarted,
    SampleFinished,
    SampleLost,
    Scored,
    Subscriber,
)
from ponder.core.record.steering import Accepted, Action
from ponder.core.sessions.run import Run, ignore
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.core.worth import UNITS
from ponder.runtime.handlers.admission import Admission
from ponder.runtime.inbox import Inbox, Postbox
from ponder.runtime.job import Job
from ponder.runtime.journal import Journal
from ponder.runtime.result import (
    Result,
    StoppedBy,
    agreement,
    candidates,
    ends,
    last_value,
    leader,
    votes,
)
from ponder.runtime.stack import World, stack

UNCOUNTED = (
    "more completion tokens are booked than the text can hold: the server hides what its model "
    "thinks, or does not count."
)
MARKS = 64
"""Tokens that a text may have beside those that hold a byte of it: marks, ends of turns."""


class Runner:
    """One run. After ``interrupt``, a run in progress returns its best answer so far."""

    def __init__(
        self,
        job: Job,
        *,
        journal: Journal | None = None,
        run: str = "",
        publish: Subscriber = ignore,
    ) -> None:
        self._job, self._journal, self.run, self._publish = job, journal, run, publish
        self._traces: dict[str, Trace] = {}
        self._scores: dict[str, list[Score]] = {}
        self._lost = 0
        self._failures: list[str] = []
        self._decided: list[str] = []
        self._task: asyncio.Future[Trace] | None = None
        self._admission = Admission(job.budget, Ledger())
        self._interrupted = False
        self._inbox = Postbox(journal, run) if journal else Inbox()
        self._decide: Callable[[Decision], None] = ignore
        self._ledger, self._replayed = Ledger(), Cost()

    @property
    def spent(self) -> Cost:
        """Return the cost of this attempt at the run so far."""
        return self._ledger.spent - self._replayed

    def steer(self, action: Action) -> None:
        """Act on the run, at the next point where it offers the action's subject."""
        self._inbox.put(action)

    def interrupt(self) -> None:
        """Stop now and return the best so far."""
        if self._task is not None and not self._interrupted:
            self._task.cancel()
        self._interrupted = True

    def _listen(self, event: Event) -> None:
        if isinstance(event, Grew):  # most events are of this kind
            pass
        elif isinstance(event, SampleFinished) and event.role == GENERATE:
            self._traces[event.trace.id] = event.trace
        elif isinstance(event, SampleLost):
            self._lost += event.role in (GENERATE, PROGRAM)
            if event.failed:
                self._failures.append(event.reason)
        elif isinstance(event, Scored):
            for trace, score in zip(event.traces, event.scores, strict=True):
                self._scores.setdefault(trace.id, []).append(score)
        elif isinstance(event, Decision):
            self._decide(event)
            if isinstance(event, Decided):
                self._decided.append(f"{event.what}: {event.why}")
        self._publish(event)

    async def go(self) -> Result:
        """Run to the end, to the budget's end, or to the interruption.

        Raises:
            RunFailed: no sample arrived.
            PonderError: any other error of the strategy or the journal.
            Each has the cost so far in ``receipt``.
        """
        job = self._job
        built = stack(
            World(
                job.model, job.read, job.verifiers, job.pricing, job.others, job.cue, job.sandbox
            ),
            job.budget,
            journal=self._journal,
            run=self.run,
            inbox=self._inbox,
            publish=self._listen,
            concludes=job.written,
            watched=self._publish is not ignore,
        )
        ledger, self._admission, self._decide = built.ledger, built.admission, built.decide
        self._ledger, self._replayed = ledger, ledger.spent
        used = (job.model, *(one.model for one in job.others.values()))
        most = max(model.info.beside for model in used)
        forced = max(meter.longest(job.problem) for meter in built.meters.values())
        self._admission.recall(
            [
                (r.spent, max(r.effect["length"] + most, forced if r.spent.calls > 1 else 0))
                for r in built.rows
                if r.spent and "length" in r.effect
            ]
        )
        asked = job.verifiers.get(job.verifier)
        listwise = asked is not None and asked.listwise
        info = job.model.info
        state = Run(
            built.perform,
            job.seed,
            job.sampling,
            job.verifier,
            self._listen,
            listwise,
            reserve_for=Trace.empty(job.problem),
            cue=job.cue,
            continuing={name for name, meter in built.meters.items() if meter.continues},
            economy=job.economy(built.meters),
            outlook=job.outlook,
        )
        self._publish(
            RunStarted(
                self.run, job.name, dict(job.knobs), info.name, job.budget, job.seed, job.problem
            )
        )
        root = Session(state)
        self._task = asyncio.ensure_future(job.strategy(root, job.problem))
        if self._interrupted:
            self._task.cancel()
        chosen: Trace | None = None
        stopped: StoppedBy = "done"
        try:
            chosen = await self._task
        except Accepted as accepted:
            chosen, stopped = accepted.trace, "accepted"
        except LimitReached as reached:
            stopped = reached.limit
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if not self._interrupted or (here is not None and here.cancelling()):
                raise
            stopped = "interrupt"
        except ModelError as error:
            if self._best(state) is None:
                raise self._failed(RunFailed(str(error)), ledger) from error
            stopped = "lost"
        except PonderError as error:
            self._failed(error, ledger)
            raise
        silent = (chosen is None or chosen.answer is None) and self._best(state) is None
        if silent and (stopped in UNITS or (stopped == "done" and self._admission.refused)):
            chosen = await self._last_word(root, state) or chosen
        if chosen is None or chosen.answer is None:
            proposed = state.best[0] if state.best and state.stands(state.best[0]) else None
            chosen = self._best(state) or chosen or proposed
        if stopped == "done" and self._admission.fired is not None:
            stopped = self._admission.fired
        if ledger.overcharged:
            stopped = "overcharged"
        self._listen(Ended(stopped, chosen.id if chosen else None))
        result = self._result(chosen, stopped, ledger.receipt(self._notes(ledger)), state)
        self._close(_state(result), result)
        return result

    def _best(self, state: Run) -> Trace | None:
        """Return the answer so far, if any: the proposal, or else the vote of all traces. A person
        has pruned neither.
        """
        best = state.best[0] if state.best and state.answered else None
        if best is not None and state.proposed:
            return best
        return leader(self._standing(state)) or best

    def _standing(self, state: Run) -> list[Trace]:
        """Return the traces that a person has neither pruned nor edited."""
        return [trace for trace in self._traces.values() if state.stands(trace)]

    async def _last_word(self, session: Session, state: Run) -> Trace | None:
        """Force an answer from the best unfinished trace that the remaining budget can afford, or
        from none, if the model can be made to answer.
        """
        able = self._job.model.info.capabilities & {"prefill", "native_thinking"}
        if not (able and self._job.written):
            return None
        found = sorted(ends(self._standing(state)), key=self._promise, reverse=True)
        with suppress(ModelError):
            for chain in (*found, Trace.empty(self._job.problem)):
                with suppress(LimitReached):
                    return await session.conclude(chain)
        return None

    def _notes(self, ledger: Ledger) -> tuple[str, ...]:
        """Return the remarks for the receipt, each once."""
        models = (self._job.model, *(one.model for one in self._job.others.values()))
        remarks = [remark for model in models for remark in model.info.remarks]
        hidden = not ledger.total.reasoning_tokens and any(map(_hides, self._traces.values()))
        uncounted = [UNCOUNTED] if hidden else []
        return tuple(dict.fromkeys((*self._job.notes, *remarks, *uncounted, *self._silence())))

    def _silence(self) -> list[str]:
        """Return notes on verifiers that abstained on every trace."""
        said = [score for scores in self._scores.values() for score in scores]
        if not said or any(score.value is not None for score in said):
            return []
        names = " and ".join(dict.fromkeys(score.verifier for score in said))
        why = next((f" ({score.detail})" for score in said if score.detail), "")
        return [f"{names} had no opinion of any answer{why}: it chose nothing."]

    def _missing(self) -> str:
        """Return a sentence on the samples that failed requests have lost; '' if there are none."""
        if not self._failures:
            return ""
        count = len(self._failures)
        lost = "1 sample was" if count == 1 else f"{count} samples were"
        told = f"{lost} lost ({self._failures[-1].rstrip('.')})"
        them = "it" if count == 1 else "them"
        return (
            f"{told}; 'ponder runs resume {self.run}' asks for {them} again."
            if self.run
            else f"{told}."
        )

    def _promise(self, trace: Trace) -> tuple[float, int]:
        """Return the sort key of a trace: its last score, then its length."""
        value = last_value(self._scores.get(trace.id, ()))
        return -1.0 if value is None else value, trace.tokens

    def _failed(self, error: PonderError, ledger: Ledger) -> PonderError:
        error.receipt, error.run = ledger.receipt(self._job.notes), self.run
        self._close("failed", None)
        return error

    def _close(self, state: str, result: Result | None) -> None:
        if self._journal:
            self._journal.finish(self.run, state, result.to_json() if result else None)

    def _result(
        self,
        chosen: Trace | None,
        stopped: StoppedBy,
        receipt: Receipt,
        state: Run,
    ) -> Result:
        job, traces = self._job, list(self._traces.values())
        confidence, calibrated = agreement(chosen, traces) if chosen else None, ""
        if chosen and confidence is not None and job.calibrated:  # one sample tells of no model
            if belief := state.belief:
                fresh = belief.samples == len(ends(self._standing(state)))
                if fresh and belief.basis and stopped != "accepted":
                    confidence, calibrated = belief.probability, belief.basis
            elif job.outlook and (seen := votes(chosen, traces)):
                confidence, calibrated = job.outlook.right(seen), job.outlook.basis
        return Result(
            answer=chosen.answer.text if chosen and chosen.answer else None,
            confidence=confidence,
            strategy=job.name,
            knobs={**job.knobs, **job.drawn()},
            model=job.model.info.name,
            run=self.run or None,
            seed=job.seed,
            stopped_by=stopped,
            receipt=receipt,
            candidates=candidates(traces, self._scores),
            silent=self._lost + sum(trace.answer is None for trace in ends(traces)),
            trace=chosen,
            lost=self._missing(),
            decided=tuple(self._decided),
            calibrated=calibrated,
        )


def _hides(trace: Trace) -> bool:
    """True if more was generated than is known: a token holds a byte of text or more."""
    return trace.tokens > len(trace.turn.encode()) + MARKS


def _state(result: Result) -> str:
    """Return the state of a run in the journal: all but ``done`` can be resumed."""
    if result.stopped_by == "interrupt":
        return "interrupted"
    return "incomplete" if result.lost and result.stopped_by != "overcharged" else "done"

"""The handler that enforces a budget: reserve before dispatch, book and settle after.

A whole chain is admitted together with the request that forces its answer, should it be truncated
before it has given one. Both are one call: under one reservation, and with one result. So nothing
but the costs of earlier calls decides what is sent, and a resumed run sends the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from ponder.core.costs.cost import Cost
from ponder.core.costs.ledger import Item, Ledger
from ponder.core.errors import LimitReached, ModelError
from ponder.core.record.effects import Call, Generate, Handler, Result, Steer
from ponder.core.sessions.run import forced
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta, Trace
from ponder.runtime.handlers.admission import Admission, Grant
from ponder.runtime.handlers.meter import Meter

OFF = Thinking("off")
LEAST = 16
"""Samples are not shortened below this many tokens: they could hardly contain an answer."""


def budgeted(
    inner: Handler,
    admission: Admission,
    ledger: Ledger,
    meters: Mapping[str, Meter],
    deadline: float | None,
    *,
    exact_length: bool = False,
    concludes: bool = False,
) -> Handler:
    """Wrap ``inner`` so that no limit is exceeded.

    If an endpoint nevertheless charges more than a request allowed, nothing more is sent.
    ``meters`` are by the name of the model, '' for the run's own; ``deadline`` is a time of the
    event loop. A sample that does not fit is shortened; with ``exact_length`` it is refused.

    If it ``concludes``, an answer is forced from a whole chain that is truncated without one, and
    other requests are admitted only if forcing an answer would still fit in the budget. That is so
    by costs alone: a request that was refused is refused again when the run is resumed.
    """

    def answer(effect: Generate) -> Callable[[int], Cost] | None:
        """Return the most that forcing the effect's own answer can cost; None if none is forced."""
        meter = meters[effect.model]
        free = effect.problem.answer_type == "text" and not effect.problem.instruction
        if not (concludes and effect.concludes and effect.whole) or free:
            return None
        thinking = effect.sampling.thinking
        if not meter.continues and thinking == OFF:
            return None
        if not admission.limited:
            return nothing
        then = meter.answer(effect)
        if thinking in (None, OFF) and admission.ceiling(then(0)):  # none could ever be forced
            return None
        return then

    def beside(effect: Generate) -> Callable[[int], Cost]:
        chain = effect.start if effect.max_total else effect.reserve_for
        forces = effect.start.finish is not None
        if not concludes or chain is None or forces or effect.whole:
            return nothing
        then = meters[""].conclusion(chain)  # the run's own model gives the final answer
        if effect.max_total:
            return then
        return nothing if admission.ceiling(then(0)) else lambda length: then(0)

    def too_late() -> LimitReached:
        admission.fired = "seconds"
        return LimitReached("seconds")

    def in_time() -> None:
        if deadline is not None and asyncio.get_running_loop().time() >= deadline:
            raise too_late()

    async def answered_in_time(call: Call) -> Result:
        """Answer the call, but not after the deadline."""
        if deadline is None:
            return await inner(call)
        try:
            async with asyncio.timeout_at(deadline) as timer:
                return await inner(call)
        except TimeoutError:
            if timer.expired():
                raise too_late() from None
            raise

    async def send(call: Call, effect: Generate) -> Trace:
        """Answer the call, and book what it cost."""
        meter = meters[effect.model]
        prompt = cached = completion = wasted = failed = thought = guessed = 0
        known = False
        mark = ledger.depart()
        try:
            trace = await answered_in_time(call)
            assert isinstance(trace, Trace)
            prompt, cached, wasted = call.prompt_tokens, call.cached_tokens, call.wasted_tokens
            completion = trace.tokens - effect.start.tokens
            thought, guessed, known = call.reasoning_tokens, call.estimated_tokens, True
            return trace
        except ModelError as error:
            prompt, wasted, failed = error.prompt_tokens, error.completion_tokens, 1
            raise
        except BaseException:
            prompt, cached = call.prompt_tokens, call.cached_tokens
            wasted = call.completion_tokens + call.wasted_tokens
            raise
        finally:
            made = completion + wasted
            if known:
                cost = meter.cost(prompt, cached, made, call.stored_tokens, call.hour_tokens)
            else:  # what a lost sample stored is not known
                cost = meter.most(prompt, cached, made)
            call.spent = Item(
                effect.role,
                meter.model,
                1,
                failed,
                prompt,
                cached,
                completion,
                wasted,
                cost.picousd,
                cost.flops,
                ledger.arrive(mark),
                thought,
                guessed,
            )
            ledger.book(call.spent)

    async def conclude(call: Call, effect: Generate, chain: Trace, grant: Grant) -> Trace:
        """Return the chain with an answer forced from it; as it is if that fails, or if its grant
        does not cover the cost.
        """
        meter, first, before = meters[effect.model], call.spent, call.completion_tokens
        assert first is not None
        start, how, prompt = forced(
            chain,
            effect.messages,
            meter.cue(effect.problem),
            continues=meter.continues,
            thinks=effect.sampling.thinking is not None or hidden(call, chain, meter),
        )
        asked = replace(
            effect,
            start=start,
            sampling=replace(effect.sampling, **how),
            prompt=prompt or effect.prompt,
        )
        asked = replace(asked, sampling=replace(asked.sampling, length=meter.room(asked)))
        if not admission.covers(grant, first.cost + meter.worst(asked)(asked.sampling.length)):
            return chain

        def watch(delta: Delta) -> None:
            assert call.watch is not None
            call.watch(replace(delta, tokens=before + delta.tokens))

        second = Call(call.path, asked, watch=watch if call.watch else None)
        try:
            said = await send(second, asked)
        except (ModelError, LimitReached):
            return chain
        finally:
            if second.spent is not None:
                call.spent = first.plus(second.spent)
        tokens = said.tokens + chain.tokens - start.tokens
        call.trace = replace(said, parent=effect.start.id, tokens=tokens)
        if prompt:  # the answer was given in another turn
            text = f"{chain.text}\n\n{said.text}".strip()
            call.trace = replace(call.trace, text=text, reasoning=chain.reasoning)
        return call.trace

    async def handle(call: Call) -> Result:
        effect = call.effect
        if isinstance(effect, Steer):  # costs nothing
            return await inner(call)
        in_time()
        if not isinstance(effect, Generate):
            return await answered_in_time(call)
        meter, then = meters[effect.model], answer(effect)
        wanted, worst = meter.room(effect), meter.worst(effect)
        least = wanted if exact_length else min(LEAST, wanted)
        reserve = worst if then is None else lambda n: worst(n) + then(n)
        grant = await admission.reserve(wanted, least, reserve, beside(effect))
        try:
            in_time()  # the wait may have been long
            if grant.length < effect.sampling.length:
                shorter = replace(effect.sampling, length=grant.length)
                call.effect = replace(effect, sampling=shorter)
            trace = await send(call, effect)
            if grant.limit and trace.finish == "length":
                admission.fired = grant.limit
            thought = trace.reasoning or hidden(call, trace, meter)
            if then and trace.inconclusive and (meter.continues or thought):
                return await conclude(call, effect, trace, grant)
            return trace
        finally:
            allowed = grant.length + meter.beside
            if call.spent is not None and call.spent.calls > 1:
                allowed += meter.longest(effect.problem)
            admission.settle(grant, call.spent, allowed)

    return handle


def hidden(call: Call, chain: Trace, meter: Meter) -> bool:
    """True if the model thought, can be told not to, and its server only counts the thinking."""
    return meter.thinks and call.reasoning_tokens > 0 and not chain.reasoning


def nothing(length: int) -> Cost:
    """Return no cost, whatever the length."""
    return Cost()

"""The handler that enforces a budget: reserve before dispatch, book and settle after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from ponder.core.cost import Cost
from ponder.core.effects import GENERATE, Call, Execute, Generate, Handler, Result, Steer
from ponder.core.errors import LimitReached, ModelError
from ponder.core.ledger import Item, Ledger
from ponder.core.thinking import Thinking
from ponder.core.trace import Ran, Trace
from ponder.runtime.handlers.admission import Admission
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
    answered: bool = False,
) -> Handler:
    """Wrap ``inner`` so that no limit is exceeded.

    If an endpoint nevertheless charges more than a request allowed, nothing more is sent.
    ``meters`` are by the name of the model, '' for the run's own; ``deadline`` is a time of the
    event loop. A sample that does not fit is shortened; with ``exact_length`` it is refused. Until
    some trace has an answer (``answered``), steps and verifier calls are admitted only if forcing
    an answer would still fit in the budget.
    """

    def beside(effect: Generate) -> Callable[[int], Cost]:
        thinks = effect.sampling.thinking not in (None, OFF)  # it may take the whole length
        chain = effect.start if effect.max_total or thinks else effect.reserve_for
        if answered or chain is None:
            return lambda length: Cost()
        then = meters[""].conclusion(chain)  # the run's own model gives the final answer
        grows = chain is effect.start
        # While it waits for its turn, another trace may give an answer.
        return lambda length: Cost() if answered else then(length if grows else 0)

    def too_late() -> LimitReached:
        admission.fired = "seconds"
        return LimitReached("seconds")

    def in_time() -> None:
        if deadline is not None and asyncio.get_running_loop().time() >= deadline:
            raise too_late()

    async def handle(call: Call) -> Result:
        nonlocal answered
        effect = call.effect
        if isinstance(effect, Steer):  # costs nothing
            return await inner(call)
        in_time()
        if not isinstance(effect, Generate):
            try:
                async with asyncio.timeout_at(deadline) as timer:
                    result = await inner(call)
            except TimeoutError:
                if not timer.expired():
                    raise
                raise too_late() from None
            if isinstance(effect, Execute) and effect.role == GENERATE:
                assert isinstance(result, Ran)
                answered = answered or result.answer is not None
            return result
        meter = meters[effect.model]
        wanted = meter.room(effect)
        least = wanted if exact_length else min(LEAST, wanted)
        grant = await admission.reserve(wanted, least, meter.worst(effect), beside(effect))
        try:
            in_time()  # the wait may have been long
        except LimitReached:
            admission.settle(grant)
            raise
        if grant.length < effect.sampling.length:
            call.effect = replace(effect, sampling=replace(effect.sampling, length=grant.length))
        prompt = cached = completion = wasted = failed = thought = guessed = 0
        known = False
        mark = ledger.depart()
        try:
            async with asyncio.timeout_at(deadline) as timer:
                trace = await inner(call)
            assert isinstance(trace, Trace)
            prompt, cached, wasted = call.prompt_tokens, call.cached_tokens, call.wasted_tokens
            completion = trace.tokens - effect.start.tokens
            thought, guessed, known = call.reasoning_tokens, call.estimated_tokens, True
            answered = answered or (trace.answer is not None and effect.role == GENERATE)
            if grant.limit and trace.finish == "length":
                admission.fired = grant.limit
            return trace
        except ModelError as error:
            prompt, wasted, failed = error.prompt_tokens, error.completion_tokens, 1
            raise
        except BaseException as error:
            prompt, cached = call.prompt_tokens, call.cached_tokens
            wasted = call.completion_tokens + call.wasted_tokens
            if isinstance(error, TimeoutError) and timer.expired():
                raise too_late() from None
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
            admission.settle(grant, call.spent, meter.beside)

    return handle

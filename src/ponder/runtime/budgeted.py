"""The handler that keeps a budget's promise: reserve before dispatch, book and settle after."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ponder.core.effects import Call, Generate, Handler, Result
from ponder.core.errors import LimitReached, ModelError
from ponder.core.ledger import Item, Ledger
from ponder.core.trace import Trace
from ponder.runtime.meter import Meter
from ponder.runtime.purse import Purse

LEAST = 16
"""A sample is not shortened below so many tokens: what could it still say?"""


def budgeted(
    inner: Handler, purse: Purse, ledger: Ledger, meter: Meter, model: str, deadline: float | None
) -> Handler:
    """Wrap ``inner`` so that no limit is ever passed. ``deadline`` is a time of the event loop."""

    async def handle(call: Call) -> Result:
        effect = call.effect
        if deadline is not None and asyncio.get_running_loop().time() >= deadline:
            purse.fired = "seconds"
            raise LimitReached("seconds")
        if not isinstance(effect, Generate):
            return await inner(call)
        wanted = meter.room(effect)
        grant = await purse.reserve(wanted, min(LEAST, wanted), meter.worst(effect))
        if grant.length < effect.sampling.length:
            call.effect = replace(effect, sampling=replace(effect.sampling, length=grant.length))
        item = Item(effect.role, model, calls=1)
        mark = ledger.depart()
        try:
            async with asyncio.timeout_at(deadline):
                trace = await inner(call)
            assert isinstance(trace, Trace)
            if grant.limit and trace.finish == "length":
                purse.fired = grant.limit
            item = replace(
                item,
                prompt_tokens=call.prompt_tokens,
                cached_tokens=call.cached_tokens,
                completion_tokens=trace.tokens - effect.start.tokens,
                wasted_tokens=call.wasted_tokens,
            )
            return trace
        except ModelError as error:
            call.prompt_tokens, call.cached_tokens = error.prompt_tokens, 0
            item = replace(
                item,
                failed=1,
                prompt_tokens=error.prompt_tokens,
                wasted_tokens=error.completion_tokens,
            )
            raise
        except (asyncio.CancelledError, TimeoutError) as error:
            item = replace(
                item, prompt_tokens=call.prompt_tokens, wasted_tokens=call.completion_tokens
            )
            if isinstance(error, TimeoutError):
                purse.fired = "seconds"
                raise LimitReached("seconds") from None
            raise
        finally:
            generated = item.completion_tokens + item.wasted_tokens
            cost = meter.cost(item.prompt_tokens, item.cached_tokens, generated)
            call.spent = replace(
                item, picousd=cost.picousd, flops=cost.flops, seconds=ledger.arrive(mark)
            )
            ledger.book(call.spent)
            purse.settle(grant)

    return handle

"""The innermost handler: talks to the model and to the verifiers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ponder.core.answer import Answer
from ponder.core.effects import Call, Generate, Handler, Result, Verify
from ponder.core.problem import Problem
from ponder.core.trace import Trace
from ponder.models.base import Model, Request
from ponder.verifiers.base import Verifier

Reader = Callable[[str, Problem, bool], Awaitable[Answer | None]]
"""Reads the answer out of (text, problem, whether the text was cut off)."""


def live(models: Mapping[str, Model], verifiers: Mapping[str, Verifier], read: Reader) -> Handler:
    """The handler that has nothing further in. The run's own model has the name ''."""

    async def generate(call: Call, effect: Generate) -> Trace:
        start, how = effect.start, effect.sampling
        request = Request(
            effect.problem.messages,
            how.length,
            start.text,
            how.temperature,
            how.top_p,
            effect.seed,
            how.stop,
            how.logprobs,
        )
        done = await models[effect.model].generate(request, call.progress)
        call.prompt_tokens, call.completion_tokens = done.prompt_tokens, done.completion_tokens
        call.cached_tokens, call.wasted_tokens = done.cached_tokens, done.wasted_tokens
        text = start.text + done.text
        call.trace = Trace(
            effect.problem,
            text,
            start.tokens + done.completion_tokens,
            done.finish,
            await read(text, effect.problem, done.finish == "length"),
            None if done.logprobs is None else (start.logprobs or ()) + done.logprobs,
            call.path,
            start.id,
        )
        return call.trace

    async def handle(call: Call) -> Result:
        effect = call.effect
        if isinstance(effect, Generate):
            return await generate(call, effect)
        assert isinstance(effect, Verify), effect
        assert call.session is not None
        verifier, problem = verifiers[effect.verifier], effect.traces[0].problem
        return tuple(await verifier.score(problem, effect.traces, call.session))

    return handle

"""The innermost handler: calls the model, the verifiers and the sandbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from ponder.answers.calls import called
from ponder.answers.extract import closed
from ponder.core.problem import Problem, offered
from ponder.core.record.effects import (
    GENERATE,
    PROGRAM,
    Call,
    Execute,
    Generate,
    Handler,
    Result,
    Sampling,
    Verify,
)
from ponder.core.sessions.session import Session
from ponder.core.text.marks import closes
from ponder.core.trace import Finish, Trace
from ponder.models.base import Capability, Completion, Model, Request
from ponder.models.thought import thought
from ponder.runtime.programs import Read, Where, nowhere, run
from ponder.verifiers.base import Verifier

T = TypeVar("T")
SPARE = 64
"""Tokens of the model's context that steps leave free for the answer."""


def _unfinished(done: Completion, stops: Sequence[str]) -> bool:
    """True if the model did not end its turn with this step.

    If the server does not report the end, one of ``stops`` is assumed, unless the text is empty.
    """
    if done.finish != "stop" or done.stopped_at:
        return done.finish not in ("refusal", "error")
    return done.stopped_at is None and bool(stops and (done.text or done.reasoning))


def _joined(
    start: tuple[T, ...] | None, more: tuple[T, ...] | None, done: Completion
) -> tuple[T, ...] | None:
    """Return what is known of each token of a chain after a step.

    A step without any text adds nothing: servers then send no list at all.
    """
    if more is None:
        return None if done.text or done.reasoning else start
    return (start or ()) + more


def _ended(text: str, problem: Problem) -> str:
    """Return a truncated text without the number at its very end, which may be half a number."""
    halved = text[-1:].isdigit() and problem.answer_type != "code"
    return text.rstrip("0123456789.,/") if halved else text


def _alternatives(how: Sampling, able: Collection[Capability]) -> int:
    """Return the number of alternatives to request: as many as were wanted, if it reports them."""
    first = how.length == 1 and how.temperature == 0 and "first_logprobs" in able
    return how.top_logprobs if first or "top_logprobs" in able else 0


def _schema(effect: Generate, able: Collection[Capability]) -> str:
    """Return the JSON Schema that the model's server must hold a whole answer to; '' for none."""
    problem = effect.problem
    stepwise = bool(effect.start.turn or effect.max_total or effect.sampling.stop)
    asked = effect.role == GENERATE and problem.answer_type == "json" and not stepwise
    return problem.schema if asked and "schema" in able else ""


def live(
    models: Mapping[str, Model],
    verifiers: Mapping[str, Verifier],
    read: Read,
    where: Where = nowhere,
) -> Handler:
    """Return the handler that wraps no other. The run's own model has the name ''."""

    async def generate(call: Call, effect: Generate) -> Trace:
        start, how, model = effect.start, effect.sampling, models[effect.model]
        able = model.info.capabilities
        chances = how.logprobs or (how.top_logprobs > 0 and "logprobs" in able)
        request = Request(
            effect.messages,
            how.length,
            start.turn,
            how.temperature,
            how.top_p,
            effect.seed,
            how.stop,
            chances,
            _alternatives(how, able),
            how.thinking,
            call.watch is not None,
            _schema(effect, able),
            chances and how.pieces,
        )
        done = await model.generate(request, call.progress)
        call.prompt_tokens, call.completion_tokens = done.prompt_tokens, done.completion_tokens
        call.cached_tokens, call.wasted_tokens = done.cached_tokens, done.wasted_tokens
        call.stored_tokens, call.hour_tokens = done.stored_tokens, done.hour_tokens
        call.reasoning_tokens, call.estimated_tokens = await thought(model, done)
        text, tokens = start.text + done.text, start.tokens + done.completion_tokens
        reasoning = start.reasoning + done.reasoning
        finish: Finish | None = done.finish
        cut = finish != "stop" or bool(done.stopped_at)
        if effect.max_total and _unfinished(done, how.stop) and not closed(text, effect.problem):
            used, context = done.prompt_tokens + done.completion_tokens, model.info.context
            full = tokens >= effect.max_total or (context and used + SPARE >= context)
            finish, cut = "length" if full else None, True
            stop = done.stopped_at or ""
            if text or not reasoning:
                text += stop
            elif not closes(stop):
                reasoning += stop
        said = text if finish in (None, "stop") else _ended(text, effect.problem)
        if cut and start.finish is not None:  # forced, and truncated: the chain had no answer
            said = said[start.text.rfind("\n\n") + 1 :]
        silent = finish is None or effect.role == PROGRAM  # a program answers when it is run
        tools = offered(effect.messages)
        if tools and (done.calls or tools.forced):  # then a text is no answer
            answer = None if silent or cut else called(done.calls, tools)
        else:
            answer = None if silent else await read(said, effect.problem, cut)
        call.trace = Trace(
            effect.problem,
            text,
            tokens,
            finish,
            answer,
            _joined(start.logprobs, done.logprobs, done),
            call.path,
            start.id,
            _joined(start.top, done.top, done),
            reasoning,
            "" if start.turn else done.blocks,  # a record of the end alone is none of the turn
            done.calls,
            _joined(start.pieces, done.pieces, done),
            stopped_at=done.stopped_at or "",
        )
        return call.trace

    async def handle(call: Call) -> Result:
        effect = call.effect
        if isinstance(effect, Generate):
            return await generate(call, effect)
        if isinstance(effect, Execute):
            return await run(effect.trace, await where(), read)
        assert isinstance(effect, Verify), effect
        assert isinstance(call.session, Session)
        verifier, problem = verifiers[effect.verifier], effect.traces[0].problem
        return tuple(await verifier.score(problem, effect.traces, call.session))

    return handle

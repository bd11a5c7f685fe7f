"""The tools that agents call over the Model Context Protocol: ``solve``, ``score`` and ``decide``.

Each call is a run as any other of the server: admitted by its gate, within its ceilings, ended when
the caller cancels. Its progress is told in sentences, and what is wrong in one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from ponder.core.errors import LimitReached, Overcharged
from ponder.core.problem import Message
from ponder.core.record.events import Event, Subscriber
from ponder.core.text import jsontext
from ponder.server.asking.asked import Asked, check_names, lowered
from ponder.server.body import checked
from ponder.server.decisions import Deciding
from ponder.server.decisions import asked as decision
from ponder.server.errors import ApiError, classified
from ponder.server.keys import Key
from ponder.server.mcp.body import Call, Decide, Decided, Score, Scores, Solve, Solved
from ponder.server.telling.answered import reply
from ponder.server.telling.conducted import Conducted, House, conduct
from ponder.server.telling.told import Telling
from ponder.strategies.deciding.looking import YES_NO
from ponder.verification import ascore, problem_from

T = TypeVar("T")
C = TypeVar("C", bound=Call)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """The one who called a tool."""

    key: Key
    """Its API key."""
    tell: Callable[[str], Awaitable[None]]
    """Tells of the progress."""


@dataclass(frozen=True, slots=True)
class _Tool:
    about: str
    takes: type[Call]
    gives: type[BaseModel]
    run: Callable[[House, Caller, Mapping[str, Any]], Awaitable[BaseModel]]


async def listed(house: House) -> types.ListToolsResult:
    """Return the tools, with the models of this server."""
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name=name,
                description=tool.about,
                input_schema=_naming(tool.takes.model_json_schema(), house.served.names),
                output_schema=tool.gives.model_json_schema(),
                annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
            )
            for name, tool in TOOLS.items()
        ]
    )


def _naming(schema: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a schema whose ``model`` is one of the names."""
    model = {**schema["properties"]["model"], "enum": [*names, None]}
    return {**schema, "properties": {**schema["properties"], "model": model}}


async def call(
    house: House, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> types.CallToolResult:
    """Call a tool. A failure is a result for the model to read: one sentence."""
    tool = TOOLS.get(params.name)
    if tool is None:
        expected = ", ".join(TOOLS)
        raise MCPError(
            types.INVALID_PARAMS, f"there is no tool {params.name[:40]!r}: expected {expected}."
        )
    count = 0

    async def tell(sentence: str) -> None:
        nonlocal count
        count += 1
        await context.session.report_progress(count, None, sentence)

    request = context.request
    caller = Caller(Key() if request is None else request.state.key, tell)
    try:
        said = (await tool.run(house, caller, params.arguments or {})).model_dump(mode="json")
    except Exception as error:
        known = classified(error)
        if known.status == 500:
            _log.exception("the tool %s failed", params.name)
        return _result(known.message, None)
    return _result(jsontext.dumps(said), said)


def _result(text: str, said: dict[str, Any] | None) -> types.CallToolResult:
    block = types.TextContent(type="text", text=text)
    return types.CallToolResult(content=[block], structured_content=said, is_error=said is None)


def _read(house: House, form: type[C], arguments: Mapping[str, Any]) -> tuple[C, str, str | None]:
    """Return the arguments, the model, and the effort that its name has."""
    given = checked(dict(arguments), form)
    return given, *house.served.split(given.model or house.served.names[0])


async def _solve(house: House, caller: Caller, arguments: Mapping[str, Any]) -> Solved:
    given, model, effort = _read(house, Solve, arguments)
    if effort and given.effort and effort != given.effort:
        raise ApiError(f"the model names the effort {effort}, and 'effort' {given.effort}.")
    asked = Asked(
        (Message("user", given.question),),
        model,
        given.effort or effort or house.settings.effort,
        budget=given.limits(),
        answer_type=given.answer_type,
        choices=tuple(given.choices or ()),
    )

    async def finish(run: Conducted) -> Solved:
        planned = await run.ready()
        result = await run.result()
        made = reply(result, planned)
        return Solved(
            run=result.run,
            model=result.model,
            stopped_by=result.stopped_by,
            receipt=result.receipt.to_json(),
            answer=made.content if result.answer is None else result.answer,
            text=made.content,
            confidence=result.confidence,
            decided=made.ponder["decided"],
            candidates=made.ponder["candidates"],
        )

    def start(publish: Subscriber) -> Conducted:
        [run] = conduct(house, caller.key, [asked], lambda at, event: publish(event))
        return run

    return await _watched(caller, start, finish)


async def _decide(house: House, caller: Caller, arguments: Mapping[str, Any]) -> Decided:
    given, model, effort = _read(house, Decide, arguments)
    if effort is not None:
        raise ApiError(f"a decision is one look, without effort: name the model {model!r} alone.")
    wanted = decision(
        given.question,
        given.text,
        given.choices or YES_NO,
        model,
        {"threshold": given.threshold},
        given.limits(),
    )
    found: list[Deciding] = []

    def start(publish: Subscriber) -> Conducted:
        found.append(Deciding(house, caller.key, wanted, publish))
        return found[0].run

    async def finish(run: Conducted) -> Decided:
        return Decided(**(await found[0].decision()).to_json())

    return await _watched(caller, start, finish)


async def _watched(
    caller: Caller,
    start: Callable[[Subscriber], Conducted],
    finish: Callable[[Conducted], Coroutine[Any, Any, T]],
) -> T:
    """Return what ``finish`` makes of a run; tell of its progress meanwhile. A cancelled caller
    leaves once the run has ended and its cost is booked.
    """
    queue: asyncio.Queue[Event | None] = asyncio.Queue()
    run = start(queue.put_nowait)
    run.ended(partial(queue.put_nowait, None))
    telling = Telling(chains=False)
    try:
        while (event := await queue.get()) is not None:
            for said in telling.hear(event, json=True):
                if said.sentence:
                    await caller.tell(said.reasoning.strip())
        return await finish(run)
    finally:
        with anyio.CancelScope(shield=True):
            await run.stop()


async def _score(house: House, caller: Caller, arguments: Mapping[str, Any]) -> Scores:
    given, model, _ = _read(house, Score, arguments)
    limits = lowered(given.limits(), caller.key.ceiling, house.settings.ceiling)
    asked = problem_from(
        {
            "question": given.question,
            "answer_type": given.answer_type,
            "choices": given.choices or [],
        }
    )
    check_names(
        Asked(asked.messages, model, verifier=given.verifier), house.settings, house.served.names
    )

    async def work() -> Scores:
        async with asyncio.timeout(house.settings.deadline):
            await ticket.turn()
            async with house.served.open(model) as used:
                found = await ascore(
                    asked,
                    given.candidates,
                    verifier=given.verifier,
                    model=used,
                    budget=limits,
                    engine=house.engine,
                )
        return Scores(**found.to_json())

    [ticket] = house.gate.tickets(caller.key.name, 1)
    scoring = asyncio.ensure_future(work())
    try:
        await caller.tell(f"Scoring {len(given.candidates)} with {given.verifier}.")
        return await asyncio.shield(scoring)
    except TimeoutError:
        raise ApiError("the deadline passed before all candidates were scored.", 503) from None
    except Overcharged:
        raise
    except LimitReached as reached:
        raise ApiError(f"{reached} before all candidates were scored: give a larger one.") from None
    finally:
        scoring.cancel()
        ticket.leave()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([scoring])


TOOLS: Mapping[str, _Tool] = {
    "solve": _Tool(
        "Buy thinking for one hard question: it is answered by many samples of a model, which vote "
        "or are searched, within a budget. Returns the answer, how sure it is, and the cost.",
        Solve,
        Solved,
        _solve,
    ),
    "score": _Tool(
        "Score candidate replies to a question with a verifier, from 0 to 1. Verifiers that need "
        "no model: arithmetic, schema, regex. By the model: self_verify, judge, pairwise.",
        Score,
        Scores,
        _score,
    ),
    "decide": _Tool(
        "Choose between a few answers to a question about a text, by their probabilities after one "
        "look of a model. Cheap: nothing is written. Abstains below the threshold.",
        Decide,
        Decided,
        _decide,
    ),
}
"""The tools by name."""

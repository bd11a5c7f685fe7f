"""From the turns of the Messages API to the messages of a problem: the one place for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.core.tools import Image, ToolCall
from ponder.server.errors import ApiError
from ponder.server.messages.blocks import Block
from ponder.server.messages.body import CountBody, Turn


def messages(body: CountBody, record: Callable[[str], str]) -> tuple[Message, ...]:
    """Return the chat. ``record`` finds the vendor's record of a turn by its signature, or by the
    id of its first call; thinking without one is left out. Turns of one role that follow each other
    are one turn.

    Raises:
        ApiError: it does not end with a message of the user's, or calls and results do not go
            together.
    """
    system = _text(body.system or "")
    found = [Message("system", system)] if system.strip() else []
    waiting: set[str] = set()
    for at, turn in enumerate(body.messages):
        for message in _parts(turn, record):
            joins = bool(found) and found[-1].role == message.role in ("user", "assistant")
            if message.role == "tool":
                _check_waited_for(message.call, waiting, at)
                waiting.remove(message.call)
            elif waiting and not joins:
                raise _unanswered(waiting, at)
            waiting |= {call.id for call in message.calls}
            found.append(_joined(found.pop(), message) if joins else message)
    last = body.messages[-1]
    if last.role != "user" or not [*_parts(last, record)]:
        raise ApiError(
            "the last message must be the user's, with text, an image or the result of a call: a "
            "reply that has begun is not continued here.",
            param=f"messages[{len(body.messages) - 1}]",
        )
    if waiting:
        raise _unanswered(waiting, len(body.messages) - 1)
    return tuple(found)


def _parts(turn: Turn, record: Callable[[str], str]) -> Iterator[Message]:
    """Yield the messages of a turn: each result is one, and so is all between them."""
    blocks = [] if isinstance(turn.content, str) else turn.content
    if isinstance(turn.content, str) and turn.content.strip():
        yield Message(turn.role, turn.content)
    for results, run in groupby(blocks, lambda block: block.type == "tool_result"):
        group = [*run]
        if results:
            yield from map(_result, group)
            continue
        message = Message(
            turn.role,
            _text(group),
            _record(group, record),
            calls=tuple(
                ToolCall(block.id or "", block.name or "", jsontext.dumps(block.input))
                for block in group
                if block.type == "tool_use"
            ),
            images=_images(group),
        )
        if message.content.strip() or message.calls or message.images:
            yield message


def _result(block: Block) -> Message:
    content = block.content or ""
    text = _text(content)
    return Message(
        "tool",
        f"Error: {text}" if block.is_error else text,
        call=block.tool_use_id or "",
        images=_images(content),
    )


def _joined(one: Message, other: Message) -> Message:
    text = "\n\n".join(said for said in (one.content, other.content) if said)
    calls, images = one.calls + other.calls, one.images + other.images
    return Message(one.role, text, calls=calls, images=images)


def _text(content: str | Sequence[Block]) -> str:
    if isinstance(content, str):
        return content
    return "\n\n".join(block.text for block in content if block.text)


def _images(content: str | Sequence[Block]) -> tuple[Image, ...]:
    blocks = () if isinstance(content, str) else content
    return tuple(block.source.image for block in blocks if block.source is not None)


def _record(blocks: Sequence[Block], record: Callable[[str], str]) -> str:
    signed = [block.signature for block in blocks if block.signature]
    called = [block.id for block in blocks if block.id]
    return (record(signed[-1]) if signed else "") or (record(called[0]) if called else "")


def _check_waited_for(call: str, waiting: set[str], at: int) -> None:
    if call not in waiting:
        raise ApiError(
            f"the result of the call {call[:100]!r} does not follow the turn with that call: send "
            "the turn before it, and each result once.",
            param=f"messages[{at}]",
        )


def _unanswered(waiting: set[str], at: int) -> ApiError:
    return ApiError(
        f"the call {min(waiting)[:100]!r} has no result: begin the user's turn after it with a "
        "block 'tool_result' for each call.",
        param=f"messages[{at}]",
    )

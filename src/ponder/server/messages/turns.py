"""From the turns of the Messages API to the messages of a problem: the one place for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ponder.core.problem import Message
from ponder.server.errors import ApiError
from ponder.server.messages.body import Block, CountBody, Turn


def messages(body: CountBody, record: Callable[[str], str]) -> tuple[Message, ...]:
    """Return the chat. ``record`` finds the vendor's record of a turn by its signature; thinking
    without one is left out. Turns of one role that follow each other are one turn.

    Raises:
        ApiError: it does not end with a message of the user's.
    """
    system = _text(body.system or "")
    found = [Message("system", system)] if system.strip() else []
    for turn in body.messages:
        message = Message(turn.role, _text(turn.content), _record(turn, record))
        if not message.content.strip():
            continue
        if found and found[-1].role == message.role != "system":
            message = Message(message.role, f"{found.pop().content}\n\n{message.content}")
        found.append(message)
    last = body.messages[-1]
    if last.role != "user" or not _text(last.content).strip():
        raise ApiError(
            "the last message must be the user's, with text: a reply that has begun is not "
            "continued here.",
            param=f"messages[{len(body.messages) - 1}]",
        )
    return tuple(found)


def _text(content: str | Sequence[Block]) -> str:
    if isinstance(content, str):
        return content
    return "\n\n".join(block.text for block in content if block.text)


def _record(turn: Turn, record: Callable[[str], str]) -> str:
    if isinstance(turn.content, str):
        return ""
    signed = [block.signature for block in turn.content if block.signature]
    return record(signed[-1]) if signed else ""

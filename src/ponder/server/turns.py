"""From the messages of Chat Completions to the messages of a problem: the one place for it."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message
from ponder.server.chat_body import Turn
from ponder.server.errors import ApiError


def messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Return the chat. The thinking of earlier turns is left out, as its makers do.

    Raises:
        ApiError: it does not end with a message of the user's.
    """
    found = tuple(_message(turn) for turn in turns)
    if found[-1].role != "user" or not found[-1].content.strip():
        raise ApiError(
            "the last message must be the user's, with text: a reply that has begun is not "
            "continued here.",
            param=f"messages[{len(found) - 1}]",
        )
    return found


def _message(turn: Turn) -> Message:
    content = turn.content
    if content is None:
        text = turn.refusal or ""
    elif isinstance(content, str):
        text = content
    else:
        text = "\n\n".join(part.text or part.refusal for part in content)
    return Message("system" if turn.role == "developer" else turn.role, text)

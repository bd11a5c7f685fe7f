"""From the messages of Chat Completions to the messages of a problem: the one place for it."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message
from ponder.core.tools import Image
from ponder.server.asking.pairing import check_results
from ponder.server.chat.body import Turn
from ponder.server.errors import ApiError


def messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Return the chat. The thinking of earlier turns is left out, as its makers do.

    Raises:
        ApiError: it does not end with a message of the user's, with the result of a call or with
            a reply that has begun, or calls and results do not go together.
    """
    found = tuple(map(_message, turns))
    check_results(
        found,
        stray=lambda at: f"messages[{at}].tool_call_id",
        missing=lambda at: f"messages[{at - 1}]",
        advice="send a message of the role 'tool' for each call",
    )
    last = found[-1]
    if last.role == "system" or not (last.content.strip() or last.images or last.call):
        raise ApiError(
            "the last message must be the user's, with text or an image, or the result of a call, "
            "or the beginning of a reply.",
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
        text = "\n\n".join(said for part in content if (said := part.text or part.refusal))
    return Message(
        "system" if turn.role == "developer" else turn.role,
        text,
        calls=tuple(one.call for one in turn.tool_calls or ()),
        call=turn.tool_call_id or "",
        images=tuple(Image(one.url, one.detail or "") for one in turn.pictures),
    )

"""From the messages of Chat Completions to the messages of a problem: the one place for it."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message
from ponder.core.tools import Image
from ponder.server.chat.body import Turn
from ponder.server.errors import ApiError


def messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Return the chat. The thinking of earlier turns is left out, as its makers do.

    Raises:
        ApiError: it does not end with a message of the user's, with the result of a call or with
            a reply that has begun, or calls and results do not go together.
    """
    found = tuple(map(_message, turns))
    _check_results(found)
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


def _check_results(chat: Sequence[Message]) -> None:
    """Refuse a result without its call, and a call whose result does not follow."""
    open_calls: set[str] = set()
    for at, message in enumerate(chat):
        if message.role == "tool":
            if message.call not in open_calls:
                raise ApiError(
                    f"the result of the call {message.call[:100]!r} does not follow the turn with "
                    "that call: send the turn before it, and each result once.",
                    param=f"messages[{at}].tool_call_id",
                )
            open_calls.remove(message.call)
            continue
        _check_answered(open_calls, at)
        open_calls = {call.id for call in message.calls}
    _check_answered(open_calls, len(chat))


def _check_answered(open_calls: set[str], at: int) -> None:
    if open_calls:
        raise ApiError(
            f"the call {min(open_calls)[:100]!r} has no result: send a message of the role 'tool' "
            "for each call, right after the turn with the calls.",
            param=f"messages[{at - 1}]",
        )

"""Calls of tools and their results in a chat: each call has one, right after its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ponder.core.problem import Message
from ponder.server.body import Form
from ponder.server.errors import ApiError


class Caller(Form):
    """The caller of a tool: the model itself."""

    type: Literal["direct"]


def check_results(
    chat: Sequence[Message],
    *,
    stray: Callable[[int], str],
    missing: Callable[[int], str],
    advice: str,
) -> None:
    """Refuse a result without its call, and a call whose result does not follow.

    ``stray`` names the field at fault of a message that is such a result, ``missing`` that of the
    message before which a result is missing; ``advice`` says how results are sent.

    Raises:
        ApiError: calls and results do not go together.
    """
    open_calls: set[str] = set()
    for at, message in enumerate(chat):
        if message.role == "tool":
            if message.call not in open_calls:
                raise ApiError(
                    f"the result of the call {message.call[:100]!r} does not follow the turn with "
                    "that call: send the turn before it, and each result once.",
                    param=stray(at),
                )
            open_calls.remove(message.call)
            continue
        _check_answered(open_calls, missing(at), advice)
        open_calls = {call.id for call in message.calls}
    _check_answered(open_calls, missing(len(chat)), advice)


def _check_answered(open_calls: set[str], param: str, advice: str) -> None:
    if open_calls:
        raise ApiError(
            f"the call {min(open_calls)[:100]!r} has no result: {advice}, right after the turn "
            "with the calls.",
            param=param,
        )

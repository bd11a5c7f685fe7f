"""The end of a response: from the result of its run, or from the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core.problem import Message
from ponder.runtime.result import Result
from ponder.server.asking.asked import Planned
from ponder.server.chat.logprobs import Spelled, spelled
from ponder.server.errors import ApiError
from ponder.server.responses.form import CODES, Outcome
from ponder.server.telling.answered import Reply, Tokens, reply, tokens, told

LIMITS = ("tokens", "usd", "flops", "seconds")


NOTHING = Message("assistant", "")
"""The turn of a response without an answer."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a response."""

    turn: Message
    """The assistant's turn."""
    outcome: Outcome
    spelled: Sequence[Spelled] = ()
    """The answer in stretches of tokens, if their log-probabilities are asked for and known."""


def ended(
    result: Result, planned: Planned, *, cancelled: bool, alternatives: int | None = None
) -> End:
    """Return the end. ``cancelled``: whoever asked has ended it; ``alternatives``: the number of
    those to tell of each token, None for no log-probabilities.

    Raises:
        ApiError: there is no answer, or none that is valid JSON where that was asked for.
    """
    if cancelled and result.stopped_by == "interrupt":
        return End(NOTHING, Outcome("cancelled", tokens(result), ponder=told(result, planned)))
    if result.trace is None and result.stopped_by in LIMITS:
        spent = tokens(result)
        return End(
            NOTHING,
            Outcome("incomplete", spent, "max_output_tokens", ponder=told(result, planned)),
        )
    return _answered(reply(result, planned), alternatives)


def _answered(found: Reply, alternatives: int | None) -> End:
    match found.ending:
        case "stop" | "calls":
            outcome = Outcome("completed", found.tokens, ponder=found.ponder)
        case "length":
            outcome = Outcome("incomplete", found.tokens, "max_output_tokens", ponder=found.ponder)
        case "refusal":
            outcome = Outcome("incomplete", found.tokens, "content_filter", ponder=found.ponder)
    trace = found.trace
    turn = Message("assistant", found.content, trace.blocks, trace.calls)
    return End(turn, outcome, () if alternatives is None else spelled(found, alternatives))


def failed(error: ApiError) -> Outcome:
    """Return the outcome of a failure."""
    told = {"code": CODES.get(error.kind, "server_error"), "message": error.message}
    ponder: dict[str, Any] = error.more.get("ponder") or {}
    return Outcome("failed", _spent(ponder.get("receipt")), error=told, ponder=ponder)


def _spent(receipt: dict[str, Any] | None) -> Tokens | None:
    """Return the tokens of a receipt in JSON. Nothing of them was shown."""
    if not receipt:
        return None
    total = receipt["total"]
    made = total["completion_tokens"] + total["wasted_tokens"]
    return Tokens(total["prompt_tokens"], total["cached_tokens"], made, made)

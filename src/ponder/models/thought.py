"""Tokens of thinking in a sample whose server does not report them.

They are a part of what is billed and never add to it.
"""

from __future__ import annotations

from ponder.models.base import Completion, Counting, Model


async def thought(model: Model, done: Completion) -> tuple[int, int]:
    """Return the number of tokens that a sample spent on thinking, and the estimated part of it.

    If the server does not report them, the model's tokenizer counts the reasoning; if it has none,
    they are estimated by the reasoning's share of the characters.
    """
    if done.reasoning_tokens or not done.reasoning:
        return done.reasoning_tokens, 0
    counted = await model.count(done.reasoning) if isinstance(model, Counting) else None
    if counted is not None:
        return min(counted, done.completion_tokens), 0
    estimated = share(done)
    return estimated, estimated


def share(done: Completion) -> int:
    """Return the completion tokens in proportion to the reasoning's characters, rounded."""
    thinking, text = len(done.reasoning), len(done.text)
    return (2 * done.completion_tokens * thinking + thinking + text) // (2 * (thinking + text))

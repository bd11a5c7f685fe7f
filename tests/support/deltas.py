"""What the deltas of a sample come to."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.trace import Delta
from ponder.models.base import Completion, Progress


def costs(delta: Delta) -> tuple[int, int]:
    """Prompt and completion tokens to book if the sample is cancelled behind it."""
    return delta.prompt_tokens, delta.tokens if delta.due is None else delta.due


def booking(seen: list[tuple[int, int]]) -> Progress:
    """Note the costs of each delta."""
    return lambda delta: seen.append(costs(delta))


def check(deltas: Sequence[Delta], done: Completion, *, watched: bool = True) -> None:
    """The promise of every model's deltas."""
    counts = [delta.tokens for delta in deltas]
    assert counts == sorted(counts)
    assert costs(deltas[-1]) == (done.prompt_tokens, done.completion_tokens)
    whole = (done.text, done.reasoning) if watched else ("", "")
    assert ("".join(d.text for d in deltas), "".join(d.reasoning for d in deltas)) == whole

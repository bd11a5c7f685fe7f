"""Selection of the best scored trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ponder.core.trace import Score, Trace, rank


def best(scored: Iterable[tuple[Trace, Score]]) -> tuple[Trace, Score] | None:
    """Return the trace with the highest score among those with an answer, or among all if none has
    one.

    Abstentions lose; if every score is an abstention, the answers vote. Ties go to the earliest
    request. Returns None if there is no trace.
    """
    pairs = list(scored)
    top = max(map(rank, pairs), default=None)
    level = [pair for pair in pairs if rank(pair) == top]
    keys = [trace.answer.key for trace, score in level if trace.answer and score.value is None]
    if keys:  # of all the tied ones, then
        votes = Counter(keys)
        most = max(votes.values())
        level = [pair for pair, key in zip(level, keys, strict=True) if votes[key] == most]
    return min(level, key=lambda pair: pair[0].order, default=None)

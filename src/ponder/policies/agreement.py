"""A vote across kinds of chains, such as texts and programs, in which agreement between the kinds
counts more than agreement within one.

Chains of one kind repeat their errors, chains of different kinds seldom share one (Li 2024,
2402.15729, for texts and programs). So the kinds' shares are multiplied rather than added, as in a
logarithmic opinion pool (Genest and Zidek 1986), with one vote added to each (Laplace): an answer
weighs the product over the kinds of one more than its votes there. With one kind this is the
ordinary vote.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from ponder.core.answer import Answer
from ponder.core.trace import Trace
from ponder.policies.vote import Standing


def weight(votes: Iterable[int]) -> int:
    """Return the weight of an answer with so many votes of each kind."""
    return math.prod(1 + count for count in votes)


def agreement(ballots: Iterable[tuple[Trace, int]]) -> list[Standing]:
    """Return the answers of traces, each with the number of its kind, the leader first.

    A trace without an answer has no vote. Ties go to the answer whose trace was requested first.
    """
    votes: dict[str, Counter[int]] = {}
    voters: dict[str, tuple[Answer, Trace]] = {}
    for trace, kind in ballots:
        if (answer := trace.answer) is None:
            continue
        votes.setdefault(answer.key, Counter())[kind] += 1
        first = voters.setdefault(answer.key, (answer, trace))
        if trace.order < first[1].order:
            voters[answer.key] = answer, trace
    found = [
        Standing(answer, weight(votes[key].values()), voter)
        for key, (answer, voter) in voters.items()
    ]
    return sorted(found, key=lambda s: (-s.weight, s.voter.order))

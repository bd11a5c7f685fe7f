"""Open votes: the waves in which ballots are requested, and when they end."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.answer import Answer
from ponder.core.outlook import Seen
from ponder.core.trace import Trace
from ponder.policies.poll import Poll
from ponder.policies.stopping import (
    Beta,
    Exact,
    Lead,
    Never,
    Rule,
    Value,
    Window,
    majority_probability,
)
from tests.support.jobs import PROBLEM


def ballot(place: int, answer: str | None) -> Trace:
    found = None if answer is None else Answer(answer, answer)
    return Trace(PROBLEM, "so", 1, "stop", found, id=str(place))


def polled(rule: Rule, n: int, answers: Sequence[str | None], weight: float = 1.0) -> Poll:
    """A poll in which these ballots were requested at once."""
    poll = Poll(n, Never())
    poll.n = len(answers)
    if answers:
        assert poll.wave(len(answers)) == len(answers)
    poll.n = n
    poll._rule = rule
    for place, answer in enumerate(answers):
        poll.add(ballot(place, answer), weight)
    return poll


def answers(first: int, second: int, silent: int = 0) -> list[str | None]:
    return ["a"] * first + ["b"] * second + [None] * silent


def outcomes(counts: list[int], remaining: int) -> Iterator[list[int]]:
    """Every way in which the remaining votes can fall: on known answers, new ones, or nowhere."""
    names = [*range(len(counts) + remaining), None]
    for votes in itertools.combinations_with_replacement(names, remaining):
        new = Counter(votes)
        yield [c + new[i] for i, c in enumerate([*counts, *[0] * remaining])]


def leads_alone(counts: list[int], winner: int) -> bool:
    return all(c < counts[winner] for i, c in enumerate(counts) if i != winner)


@pytest.mark.parametrize(
    ("first", "second", "remaining"),
    [(a, b, r) for a in range(5) for b in range(min(a, 2) + 1) for r in range(1, 6) if a <= b + r],
)
def test_a_wave_is_the_least_number_of_votes_that_can_decide(
    first: int, second: int, remaining: int
) -> None:
    def can_end_after(k: int) -> bool:
        """Some fall of the next k votes leaves a leader whom the rest cannot reach."""
        if k == remaining:
            return True
        return any(
            all(leads_alone(end, top.index(max(top))) for end in outcomes(top, remaining - k))
            for top in outcomes([first, second], k)
        )

    expected = next(k for k in range(1, remaining + 1) if can_end_after(k))
    poll = polled(Exact(), first + second + remaining, answers(first, second))
    assert poll.wave(1) == expected


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.floats(0.5, 1))
def test_bayes_stops_whenever_exact_does_and_never_only_at_the_end(
    a: int, b: int, left: int, threshold: float
) -> None:
    first, second = max(a, b), min(a, b)

    def closed(rule: Rule) -> bool:
        return polled(rule, a + b + left, answers(first, second)).wave(1) == 0

    sure = first > 0 and majority_probability(first, second) >= threshold
    over = left == 0 or (first > 0 and first > second + left)
    assert closed(Exact()) == over
    assert closed(Beta(threshold)) == (over or sure)
    assert closed(Never()) == (left == 0)


@pytest.mark.parametrize("rule", [Exact(), Beta(0.5), Lead(1), Value(1.0), Window(2)])
def test_a_vote_without_an_answer_goes_on(rule: Rule) -> None:
    assert polled(rule, 6, [None, None]).wave(1) > 0
    assert polled(rule, 2, [None, None]).wave(1) == 0


@pytest.mark.parametrize(
    ("rule", "given", "wave"),
    [
        (Beta(0.95), [], 4),
        (Beta(0.95), answers(0, 1), 3),  # the leader has one
        (Beta(0.95), answers(3, 1), 3),
        (Lead(4), [], 4),
        (Lead(4), answers(2, 1), 3),
        (Lead(4), answers(4, 0), 0),
        (Window(4), [], 4),
        (Window(4), answers(2, 1), 5),  # the rest of this window, and one that agrees
        (Window(4), ["b", "b", None, "a", "a"], 3),
        (Never(), answers(9, 0), 23),
    ],
)
def test_a_wave_is_what_would_end_the_vote_if_all_agreed(
    rule: Rule, given: Sequence[str | None], wave: int
) -> None:
    assert polled(rule, 32, given).wave(1) == wave


def test_the_order_of_arrival_does_not_matter_to_a_window() -> None:
    placed = list(enumerate(["b", "a", "a", "a", "a", "a", "a", "a"]))
    for order in (placed, placed[::-1], placed[3:] + placed[:3]):
        poll = Poll(32, Window(4))
        poll.wave(8)
        for place, answer in order:
            poll.add(ballot(place, answer), 1.0)
        assert poll.wave(1) == 0


def test_the_votes_seen_are_counted_without_their_weights() -> None:
    poll = polled(Exact(), 9, ["b", "a", None, "a"], weight=0.25)
    assert poll.seen == Seen((2, 1), 1)

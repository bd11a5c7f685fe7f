from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.answer import Answer
from ponder.core.trace import Trace
from ponder.policies.vote import Vote, lead
from tests.support.jobs import trace

Ballot = tuple[Trace, float]


def count(ballots: list[Ballot]) -> list[tuple[str, float, str]]:
    vote = Vote()
    for voter, weight in ballots:
        vote.add(voter, weight)
    return [(s.answer.text, s.weight, s.voter.id) for s in vote.standings()]


def test_most_votes_win() -> None:
    ballots = [(trace(i, answer), 1.0) for i, answer in enumerate(["a", "b", "b", None, "c"])]
    assert count(ballots) == [("b", 2.0, "1"), ("a", 1.0, "0"), ("c", 1.0, "4")]


def test_a_tie_goes_to_the_answer_that_was_asked_for_first_by_number_not_by_spelling() -> None:
    assert count([(trace(10, "late"), 1.0), (trace(9, "early"), 1.0)])[0][0] == "early"
    assert count([(trace("2.0.0", "b"), 1.0), (trace("1.9.0", "a"), 1.0)])[0][0] == "a"


def test_weights_decide_not_heads() -> None:
    ballots = [(trace(0, "a"), 0.25), (trace(1, "a"), 0.25), (trace(2, "b"), 0.75)]
    assert count(ballots) == [("b", 0.75, "2"), ("a", 0.5, "0")]


def test_answers_with_one_key_are_one_vote_and_the_first_asked_for_gives_the_text() -> None:
    later = trace(3, answer=None, id="3")
    half = Trace(later.problem, answer=Answer("0.5", "1/2"), id="3")
    other = Trace(later.problem, answer=Answer("1/2", "1/2"), id="1")
    for ballots in ([(half, 1.0), (other, 1.0)], [(other, 1.0), (half, 1.0)]):
        assert count(ballots) == [("1/2", 2.0, "1")]


def test_a_trace_without_an_answer_has_no_vote() -> None:
    assert count([(trace(0, None), 1.0)]) == []
    assert lead([]) == (0.0, 0.0)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        Vote().add(trace(0, "a"), -0.1)
    Vote().add(trace(0, "a"), 0.0)


def test_the_lead_is_of_the_first_over_the_second() -> None:
    vote = Vote()
    vote.add(trace(0, "a"), 0.5)
    assert lead(vote.standings()) == (0.5, 0.0)
    vote.add(trace(1, "b"), 0.75)
    assert lead(vote.standings()) == (0.75, 0.5)


answers = st.sampled_from(["a", "b", "c", None])
weights = st.floats(0, 1, allow_subnormal=False)


@given(st.lists(st.tuples(answers, weights), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    votes: list[tuple[str | None, float]], rng: random.Random
) -> None:
    ballots = [(trace(i, answer), weight) for i, (answer, weight) in enumerate(votes)]
    shuffled = ballots[:]
    rng.shuffle(shuffled)
    assert count(shuffled) == count(ballots)


def test_sums_of_weights_do_not_depend_on_rounding() -> None:
    """0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ as floats; as votes they must tie."""
    upwards = [(trace(i, "up"), w) for i, w in enumerate([0.1, 0.2, 0.3])]
    downwards = [(trace(3 + i, "down"), w) for i, w in enumerate([0.3, 0.2, 0.1])]
    assert [answer for answer, _, _ in count(upwards + downwards)] == ["up", "down"]
    assert [answer for answer, _, _ in count(downwards + upwards)] == ["up", "down"]


@given(st.lists(st.tuples(answers, weights), max_size=12))
def test_the_weight_of_an_answer_is_the_exact_sum_of_its_votes(
    votes: list[tuple[str | None, float]],
) -> None:
    exact: dict[str, Fraction] = {}
    for answer, weight in votes:
        if answer is not None:
            exact[answer] = exact.get(answer, Fraction(0)) + Fraction(weight)
    counted = count([(trace(i, answer), weight) for i, (answer, weight) in enumerate(votes)])
    assert {text: weight for text, weight, _ in counted} == {
        text: float(weight) for text, weight in exact.items()
    }
    assert [weight for _, weight, _ in counted] == sorted(
        (weight for _, weight, _ in counted), reverse=True
    )

"""The vote across kinds: closed forms, and what holds of any votes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.agreement import agreement, weight
from ponder.policies.vote import Standing, vote
from tests.support.jobs import trace

Ballots = list[tuple[str | None, int]]
"""Answers with the kinds of their traces, in the order in which they were asked for."""


def counted(ballots: Ballots) -> list[Standing]:
    return agreement((trace(i, answer), kind) for i, (answer, kind) in enumerate(ballots))


@pytest.mark.parametrize(
    ("votes", "expected"),
    [([], 1), ([3], 4), ([4, 0], 5), ([2, 1], 6), ([2, 2], 9), ([1, 1, 1], 8)],
)
def test_an_answer_weighs_the_product_of_one_more_than_its_votes(
    votes: list[int], expected: int
) -> None:
    assert weight(votes) == expected


def test_two_kinds_that_agree_outweigh_one_that_repeats_itself() -> None:
    texts, programs = [("7", 0)] * 4, [("8", 1)] * 2
    assert counted([*texts, *programs, ("8", 0)])[0].answer.text == "8"  # 6 to 5
    assert counted([*texts, ("8", 1), ("8", 0)])[0].answer.text == "7"  # 5 to 4


def test_a_tie_goes_to_the_answer_that_was_asked_for_first() -> None:
    standings = counted([("7", 0), ("8", 1), ("8", 0), ("7", 1)])
    assert [(s.answer.text, s.weight, s.voter.id) for s in standings] == [
        ("7", 4, "0"), ("8", 4, "1"),
    ]  # fmt: skip


BALLOTS = st.lists(
    st.tuples(st.sampled_from([None, "1", "2", "3"]), st.integers(0, 2)), max_size=12
)


@given(BALLOTS)
def test_one_kind_alone_votes_as_ever(ballots: Ballots) -> None:
    votes = vote(trace(place, answer) for place, (answer, _) in enumerate(ballots))
    alone = counted([(answer, 0) for answer, _ in ballots])
    assert [s.voter for s in alone] == [s.voter for s in votes]


@given(BALLOTS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(ballots: Ballots, rng: random.Random) -> None:
    arrived = list(enumerate(ballots))
    rng.shuffle(arrived)
    votes = agreement((trace(place, answer), kind) for place, (answer, kind) in arrived)
    assert votes == counted(ballots)


@given(BALLOTS, st.permutations([0, 1, 2]))
def test_no_kind_counts_more_than_another(ballots: Ballots, names: list[int]) -> None:
    renamed = [(answer, names[kind]) for answer, kind in ballots]
    assert counted(renamed) == counted(ballots)

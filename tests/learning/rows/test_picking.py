"""The choice of chains, by golden orders and by what must not matter."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.learning.rows.chains import Chain
from ponder.learning.rows.picking import PICKS, Choice, Pick, distance
from tests.support.lessons import chain

SHORT, MIDDLE, LONG = "a b c", "a b c d", "u v w x y z"


def turns(chains: list[Chain]) -> list[str]:
    return [one.turn for one in chains]


def test_the_shortest_come_first() -> None:
    chains = [chain(LONG), chain(SHORT), chain(MIDDLE)]
    assert turns(Choice("v").chosen(chains, "p")) == [SHORT, MIDDLE, LONG]
    assert turns(Choice("v", most=1).chosen(chains, "p")) == [SHORT]


def test_the_diverse_are_the_shortest_and_then_the_farthest() -> None:
    chains = [chain(LONG), chain(SHORT), chain(MIDDLE)]
    found = Choice("v", pick="diverse", most=2).chosen(chains, "p")
    assert turns(found) == [SHORT, LONG]
    assert distance(frozenset("ab"), frozenset("bc")) == pytest.approx(2 / 3)


def test_the_best_have_the_highest_score() -> None:
    chains = [chain(SHORT, 0.6), chain(MIDDLE, 0.9), chain(LONG, 0.7)]
    found = Choice("v", 0.5, "best").chosen(chains, "p")
    assert turns(found) == [MIDDLE, LONG, SHORT]


@pytest.mark.parametrize(
    "other",
    [
        chain("x", 0.9),
        chain("x", None),
        chain("x", whole=False),
        chain("x", own_prompt=False),
        chain("x", misstep="3 + 4 is not 8"),
        chain(" "),
        replace(chain("x"), answer=None, key=None),
    ],
)
def test_what_failed_or_can_be_no_lesson_is_not_chosen(other: Chain) -> None:
    assert turns(Choice("v").chosen([other, chain(LONG)], "p")) == [LONG]


def test_false_steps_are_kept_for_those_who_want_them() -> None:
    chosen = Choice("v", any_steps=True).chosen([chain("x", misstep="3 + 4 is not 8")], "p")
    assert turns(chosen) == ["x"]


def test_a_text_is_chosen_once() -> None:
    chains = [chain(SHORT, sample=str(i)) for i in range(3)] + [chain(f" {SHORT}\n")]
    assert len(Choice("v").chosen(chains, "p")) == 1


def test_a_name_is_also_known_as_it_is_recorded() -> None:
    one = replace(chain("x"), scores={"regex(4)": 1.0})
    assert Choice("regex:4").right(one)
    assert Choice("regex(4)").right(one)
    assert Choice("a (b").score(replace(one, scores={"a (b": 0.5})) == 0.5


def test_none_of_a_problem_are_no_choice() -> None:
    with pytest.raises(UsageError, match="give 1 or more"):
        Choice("v", most=0)


def test_pairs_are_of_like_length_and_each_chain_is_in_one() -> None:
    right = [chain("r " * 3), chain("r " * 9)]
    wrong = [chain("w " * n, 0.0) for n in (2, 8, 40)]
    found = Choice("v").pairs([*wrong, *right], "p")
    assert [(a.tokens, b.tokens) for a, b in found] == [(3, 2), (9, 8)]
    assert Choice("v").pairs(right, "p") == Choice("v").pairs(wrong, "p") == []
    assert len(Choice("v").pairs([*right, wrong[0]], "p")) == 1


@given(
    st.lists(st.text("ab ", min_size=1, max_size=12), max_size=8),
    st.sampled_from(PICKS),
    st.integers(0, 9),
    st.randoms(use_true_random=False),
)
def test_the_choice_does_not_depend_on_the_order(
    texts: list[str], pick: Pick, seed: int, rng: random.Random
) -> None:
    chains = [chain(text, sample=str(i)) for i, text in enumerate(texts)]
    choice = Choice("v", pick=pick, most=3, seed=seed)
    first = choice.chosen(chains, "p")
    rng.shuffle(chains)
    assert turns(choice.chosen(chains, "p")) == turns(first)


def test_another_seed_breaks_ties_in_another_way() -> None:
    chains = [chain(f"word{i}", sample=str(i)) for i in range(20)]
    orders = {tuple(turns(Choice("v", most=20, seed=s).chosen(chains, "p"))) for s in range(5)}
    assert len(orders) == 5

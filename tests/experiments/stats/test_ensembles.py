"""Ensembles: fits against what can be counted by hand, votes against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.experiments.pools.samples import Entry
from ponder.experiments.stats import ensembles
from ponder.experiments.stats.ensembles import Crowd
from tests.support.pools import sample, spelt


def crowd(*models: list[str]) -> Crowd:
    """One string of answers for each problem, one list for each model; ``a`` is right."""
    return ensembles.join(
        {
            f"m{i}": [spelt(str(row), [x if x != "-" else None for x in texts])
                      for row, texts in enumerate(model)]
            for i, model in enumerate(models)
        }
    )  # fmt: skip


def test_pools_are_joined_on_the_problems_that_all_have() -> None:
    first = [spelt("x", ["a", "b"]), spelt("y", ["a", "a", None])]
    second = [spelt("y", ["b", "a"]), spelt("z", ["a"])]
    found = ensembles.join({"one": first, "two": second})
    assert (found.models, found.problem_ids) == (("one", "two"), ("y",))
    assert found.counts[0].tolist() == [[2, 0, 1], [1, 1, 0]]
    assert found.right[0].tolist() == [1.0, 0.0]
    assert found.shares(0).tolist() == [[2 / 3, 0], [1 / 2, 1 / 2]]
    assert found.tokens.tolist() == [[10.0, 10.0]]


def test_answers_that_mean_the_same_are_one_across_models() -> None:
    first = [Entry("x", "0.5", "number", (sample("1/2", True),))]
    second = [Entry("x", "0.5", "number", (sample("0.5", True), sample("2")))]
    found = ensembles.join({"one": first, "two": second})
    assert found.counts[0].tolist() == [[1, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    ("pools", "sentence"),
    [
        ({"one": [spelt("x", ["a"])]}, "needs pools of two models or more"),
        ({"one": [spelt("x", ["a"])], "two": [spelt("y", ["a"])]}, "have no problem in common"),
    ],
)
def test_what_cannot_be_joined_is_refused(pools: dict[str, list[Entry]], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        ensembles.join(pools)


# Two models, each sure of another problem and doubtful of the other's: alone each has one of two,
# together both, for weights of the first from 2/5 (exclusive) to 3/5.
TOGETHER = (["aaaab", "abbbc"], ["abbbc", "aaaab"])


def test_weights_that_settle_more_than_any_model_are_found() -> None:
    both = crowd(*TOGETHER)
    for found in (ensembles.fit_limit(both), ensembles.fit(both, 16)):
        assert found.weights == pytest.approx((0.5, 0.5), abs=0.05)
        assert ensembles.limit(both, found.weights).tolist() == [1.0, 1.0]
    assert ensembles.fit_limit(both).accuracy == 1.0
    assert ensembles.limit(both, (1, 0)).tolist() == [1.0, 0.0]


def test_a_model_that_is_never_right_gets_nothing() -> None:
    both = crowd(["aab", "aab"], ["bbb", "ccc"])
    assert ensembles.fit_limit(both).weights == (1.0, 0.0)
    assert ensembles.fit(both, 8).weights == (1.0, 0.0)


def test_without_a_right_answer_there_is_nothing_to_fit() -> None:
    with pytest.raises(UsageError, match="no model is ever right"):
        ensembles.fit_limit(crowd(["b"], ["c"]))


PARTS = st.lists(st.text("abc-", min_size=4, max_size=4), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(PARTS, st.data())
def test_no_weights_on_a_grid_settle_more_in_the_limit(
    first: list[str], data: st.DataObject
) -> None:
    second = [data.draw(st.text("abc-", min_size=4, max_size=4)) for _ in first]
    both = crowd(first, second)
    if not any("a" in text for text in first + second):
        return
    fitted = ensembles.fit_limit(both)
    settled = (ensembles.limit(both, fitted.weights) == 1).sum()
    assert fitted.accuracy * len(first) == pytest.approx(settled)
    for i in range(11):  # by more than the lead that a fit asks for
        shares = [np.array([i / 10, 1 - i / 10]) @ both.shares(row) for row in range(len(first))]
        ahead = 0
        for mixed, right in zip(shares, both.right, strict=True):
            good, bad = mixed[right > 0.5].max(initial=0), mixed[right <= 0.5].max(initial=0)
            ahead += good - bad > 2 * ensembles.LEAD
        assert ahead <= settled


def test_what_is_expected_is_the_normal_distributions_chance_of_a_lead() -> None:
    """Shares of 3/4 and 1/4: the lead of a sample has mean 1/2 and variance 3/4."""
    both = crowd(["aaab"], ["aaab"])
    at = ensembles.expected(both, np.array([0.5, 0.5]), 12)
    assert at == pytest.approx(0.977249868, abs=1e-8)  # two standard deviations
    assert ensembles.expected(crowd(["bb"], ["bb"]), np.array([1.0, 0.0]), 4) == 0.0
    assert ensembles.expected(crowd(["ab"], ["ab"]), np.array([1.0, 0.0]), 4) == 0.5


def test_votes_agree_with_all_that_can_be_drawn() -> None:
    """Two of four from one model with weight 1, one of three from the other with weight 1.5."""
    both = crowd(["aabc"], ["abb"])
    exact = []
    for pair in itertools.combinations("aabc", 2):
        for other in "abb":
            tally = dict.fromkeys("abc", 0.0)
            for answer in pair:
                tally[answer] += 1
            tally[other] += 1.5
            leads = [answer for answer in tally if tally[answer] == max(tally.values())]
            exact.append(("a" in leads) / len(leads))
    [found] = ensembles.vote(both, (1, 1.5), (2, 1), draws=40_000)
    assert found == pytest.approx(np.mean(exact), abs=0.01)


def test_a_vote_of_everything_is_no_matter_of_chance() -> None:
    """Two a against four b; one a against none; one a for each b, which is split; no answer."""
    both = crowd(["aab", "---", "abc", "---"], ["bbb", "--a", "b-a", "---"])
    assert ensembles.vote(both, (1, 1), (3, 3), draws=5).tolist() == [0.0, 1.0, 0.5, 0.0]
    assert ensembles.vote(both, (2.1, 1), (3, 3), draws=5).tolist() == [0.0, 1.0, 0.5, 0.0]
    assert ensembles.vote(both, (4, 1), (3, 3), draws=5).tolist() == [1.0, 1.0, 0.5, 0.0]


def test_more_than_was_recorded_is_refused() -> None:
    with pytest.raises(UsageError, match="the pool of m1 has 1 samples of problem '0', fewer than"):
        ensembles.vote(crowd(["ab"], ["a"]), (1, 1), (2, 2))

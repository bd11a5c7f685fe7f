"""Decisions from labels' probabilities: closed forms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.decisions import (
    RAREST,
    TEMPERATURES,
    Reading,
    averaged,
    calibrated,
    chances,
    cross_entropy,
    fitted,
    normalised,
    orders,
    pooled,
    read_greedy,
    read_place,
    softened,
    undecided,
    unordered,
)
from ponder.policies.labels import begins

AB = ("A", "B")


def logs(*values: float) -> tuple[float, ...]:
    return tuple(map(math.log, values))


def place(**probabilities: float) -> dict[str, float]:
    return {name.replace("_", " "): math.log(p) for name, p in probabilities.items()}


def known(logprobs: Sequence[float]) -> object:
    return pytest.approx(list(chances(logprobs)))


positive = st.floats(0.01, 100)


# Reading ------------------------------------------------------------------------------------------


def test_the_variants_of_a_label_add_up() -> None:
    found = read_place(place(A=0.3, _A=0.2, a=0.1, B=0.2, Certainly=0.2), AB)
    assert found.mass == pytest.approx(0.8)
    assert known(found.logprobs) == [0.75, 0.25]


def test_a_label_that_is_not_told_is_as_likely_as_the_least_or_as_the_rest() -> None:
    assert known(read_place(place(A=0.6, So=0.1), AB).logprobs) == [6 / 7, 1 / 7]
    assert known(read_place(place(A=0.6, So=0.35), AB).logprobs) == [0.6 / 0.65, 0.05 / 0.65]


def test_a_certain_label_leaves_the_other_the_least() -> None:
    found = read_place({"A": 0.0}, AB)
    assert chances(found.logprobs)[1] == pytest.approx(RAREST)


def test_nothing_read_is_no_mass() -> None:
    assert read_place({}, AB) == Reading(found := read_place({"so": 0.0}, AB).logprobs, 0.0)
    assert known(found) == [0.5, 0.5]


def test_the_greedy_token_alone_leaves_the_rest_to_the_others() -> None:
    found = read_greedy(" B", math.log(0.8), ("A", "B", "C"))
    assert known(found.logprobs) == [0.1, 0.8, 0.1]
    assert found.mass == pytest.approx(0.8)
    assert read_greedy("Well", -0.1, AB).mass == 0


@pytest.mark.parametrize(
    ("token", "label"),
    [
        ("Yes", "yes"), (" y", "yes"), ("NO", "no"), ("no", "no"), ("not", "not sure"),
        ("n", None), ("", None), (".", None), ("yesterday", None),
    ],
)  # fmt: skip
def test_a_token_stands_for_what_it_spells_or_alone_begins(token: str, label: str | None) -> None:
    assert begins(token, ("yes", "no", "not sure")) == label


# Orders -------------------------------------------------------------------------------------------


def test_orders_by_hand() -> None:
    assert orders(2, 4) == [(0, 1), (1, 0)]
    assert orders(3, 1) == [(0, 1, 2)]
    assert orders(4, 2) == [(0, 1, 2, 3), (2, 3, 0, 1)]


@given(st.integers(2, 26))
def test_in_all_orders_each_choice_is_at_each_place_once(count: int) -> None:
    shown = orders(count, count)
    assert all(sorted(column) == list(range(count)) for column in zip(*shown, strict=True))
    assert all(sorted(order) == list(range(count)) for order in shown)


@given(st.lists(st.tuples(positive, positive), min_size=2, max_size=6))
def test_all_orders_cancel_a_liking_for_a_place(pairs: list[tuple[float, float]]) -> None:
    """A factor of each place is gone from the mean of the log-probabilities."""
    worth, liking = zip(*pairs, strict=True)
    shown = orders(len(pairs), len(pairs))
    readings = [
        unordered(
            Reading(normalised([math.log(worth[i] * liking[at]) for at, i in enumerate(order)]), 1),
            order,
        )
        for order in shown
    ]
    assert chances(pooled(readings)) == pytest.approx([one / math.fsum(worth) for one in worth])


# Corrections --------------------------------------------------------------------------------------


def test_contextual_calibration_by_hand() -> None:
    # 0.6 / 0.8 to 0.4 / 0.2 is 0.75 to 2: what was likelier without any text loses.
    assert known(calibrated(logs(0.6, 0.4), logs(0.8, 0.2))) == [0.75 / 2.75, 2 / 2.75]


def test_content_free_texts_are_averaged_as_probabilities() -> None:
    found = averaged([Reading(logs(0.9, 0.1), 1.0), Reading(logs(0.5, 0.5), 0.6)])
    assert known(found.logprobs) == [0.7, 0.3]
    assert found.mass == pytest.approx(0.8)


@given(st.lists(positive, min_size=2, max_size=6))
def test_a_text_that_says_nothing_is_calibrated_to_even(values: list[float]) -> None:
    own = normalised([math.log(value) for value in values])
    assert chances(calibrated(own, own)) == pytest.approx([1 / len(values)] * len(values))


def test_a_temperature_by_hand() -> None:
    assert known(softened(logs(0.8, 0.2), 2.0)) == [2 / 3, 1 / 3]
    assert known(softened(logs(0.8, 0.2), 1.0)) == [0.8, 0.2]


@given(st.lists(st.floats(-50, 0), min_size=2, max_size=6), st.floats(0.05, 20))
def test_probabilities_sum_to_one(values: list[float], temperature: float) -> None:
    assert math.fsum(chances(softened(values, temperature))) == pytest.approx(1)


# Abstaining ---------------------------------------------------------------------------------------


def test_reasons_to_abstain() -> None:
    assert undecided([0.7, 0.3], 0.9, 0.7) == ""
    assert "0.49 of the next token's" in undecided([0.7, 0.3], 0.49, 0.0)
    assert "less than the threshold of 0.8" in undecided([0.7, 0.3], 0.9, 0.8)
    assert undecided([0.5, 0.5], 0.9, 0.0) == "two choices are equally likely"


def test_a_fitted_temperature_is_that_at_which_the_probabilities_were_right() -> None:
    """At odds of 9 to 1 and three right of four the temperature is log 9 over log 3, which is 2."""
    row = (math.log(0.9), math.log(0.1))
    rows, right = [row] * 4, [0, 0, 0, 1]
    assert fitted(rows, right) == pytest.approx(2, abs=1e-3)
    assert cross_entropy(rows, right, 2) == pytest.approx(
        -(3 * math.log(0.75) + math.log(0.25)) / 4
    )
    assert fitted(rows, [0] * 4) == pytest.approx(TEMPERATURES[0], rel=1e-3)

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.models.base import ModelInfo, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.planning.capabilities import check
from ponder.planning.plan import resolve
from ponder.planning.wishes import spec
from ponder.verifiers import registry
from ponder.verifiers.confidence import (
    entropy,
    lowest_group,
    lowest_group_confidence,
    mean_logprob,
    self_certainty,
    tail,
    tail_confidence,
    token_confidences,
)
from tests.support.asking import ask
from tests.support.jobs import trace

HALF, QUARTER = math.log(0.5), math.log(0.25)
TRACES = st.lists(st.floats(-30.0, 0.0), min_size=1, max_size=60)


def test_closed_forms() -> None:
    assert mean_logprob([HALF, HALF]) == pytest.approx(0.5)
    assert mean_logprob([0.0, QUARTER]) == pytest.approx(0.5)
    trace = [0.0, HALF, QUARTER, QUARTER, 0.0]
    assert lowest_group(trace, window=1) == pytest.approx(0.25)
    assert lowest_group(trace, window=2) == pytest.approx(0.25)
    assert lowest_group(trace, window=3) == pytest.approx(2 ** (-5 / 3))
    assert lowest_group(trace, window=9) == mean_logprob(trace)


def test_an_empty_trace_has_no_confidence() -> None:
    assert mean_logprob([]) is None
    assert lowest_group([]) is None


def test_a_window_has_at_least_one_token() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        lowest_group([HALF], window=0)


@given(TRACES, st.integers(1, 70))
def test_lowest_group_is_the_least_window(trace: list[float], window: int) -> None:
    size = min(window, len(trace))
    groups = [trace[i : i + size] for i in range(len(trace) - size + 1)]
    expected = min(math.exp(math.fsum(group) / size) for group in groups)
    score = lowest_group(trace, window)
    assert score == pytest.approx(expected)
    assert score is not None
    assert 0 < score <= 1


def test_the_tail_is_the_last_window() -> None:
    trace = [QUARTER, QUARTER, HALF, 0.0]
    assert tail(trace, window=1) == pytest.approx(1.0)
    assert tail(trace, window=2) == pytest.approx(2**-0.5)
    assert tail(trace, window=9) == mean_logprob(trace)
    assert tail([]) is None
    with pytest.raises(ValueError, match="at least 1"):
        tail(trace, window=0)


# From alternatives --------------------------------------------------------------------------------


def places(*distributions: list[float]) -> list[dict[str, float]]:
    return [{f"t{j}": math.log(p) for j, p in enumerate(d)} for d in distributions]


FLAT, PEAKED = [0.5, 0.5], [0.9, 0.1]
TOKEN = {"flat": math.log(2), "peaked": -(math.log(0.9) + math.log(0.1)) / 2}


def test_the_confidence_of_a_token_by_hand() -> None:
    assert token_confidences(places(FLAT, PEAKED)) == [
        pytest.approx(TOKEN["flat"]),
        pytest.approx(TOKEN["peaked"]),
    ]
    assert token_confidences([{}]) == []


def test_deepconf_by_hand() -> None:
    top = places(PEAKED, FLAT, FLAT, PEAKED)
    flat, peaked = TOKEN["flat"], TOKEN["peaked"]
    assert lowest_group_confidence(top, window=2) == pytest.approx(flat)
    assert lowest_group_confidence(top, window=3) == pytest.approx((2 * flat + peaked) / 3)
    assert lowest_group_confidence(top) == pytest.approx((flat + peaked) / 2)
    assert tail_confidence(top, window=1) == pytest.approx(peaked)
    assert tail_confidence(top, window=2) == pytest.approx((flat + peaked) / 2)
    assert lowest_group_confidence([]) is None
    assert tail_confidence([]) is None


def test_self_certainty_by_hand() -> None:
    # KL(U || p) = -1/2 (log(2 x 0.9) + log(2 x 0.1)) = -1/2 log 0.36; of the uniform it is 0.
    assert self_certainty(places(FLAT)) == pytest.approx(0.0)
    assert self_certainty(places(PEAKED)) == pytest.approx(-math.log(0.36) / 2)
    assert self_certainty(places(PEAKED, FLAT)) == pytest.approx(-math.log(0.36) / 4)
    assert self_certainty([]) is None


def test_entropy_by_hand() -> None:
    assert entropy(places(FLAT)) == pytest.approx(math.log(2))
    assert entropy(places([1.0])) == pytest.approx(0.0)
    # What is not known, 0.2, counts as one token more.
    known = 0.5 * math.log(2) + 0.3 * -math.log(0.3) + 0.2 * -math.log(0.2)
    assert entropy(places([0.5, 0.3])) == pytest.approx(known)
    assert entropy(places([0.5, 0.3], [1.0])) == pytest.approx(known / 2)
    assert entropy([]) is None


DISTRIBUTIONS = st.lists(st.floats(0.01, 1), min_size=1, max_size=20).map(
    lambda weights: [w / (math.fsum(weights) + 0.01) for w in weights]
)


@given(st.lists(DISTRIBUTIONS, min_size=1, max_size=12))
def test_bounds_of_what_alternatives_tell(distributions: list[list[float]]) -> None:
    top = places(*distributions)
    certainty, spread = self_certainty(top), entropy(top)
    assert certainty is not None
    assert certainty >= -1e-9  # a divergence
    assert spread is not None
    most = math.fsum(math.log(len(d) + 1) for d in distributions) / len(top)
    assert -1e-9 <= spread <= most + 1e-9


@given(st.lists(DISTRIBUTIONS, min_size=1, max_size=12), st.integers(1, 14))
def test_the_lowest_group_is_the_least_of_all_groups(
    distributions: list[list[float]], window: int
) -> None:
    top = places(*distributions)
    confidences, size = token_confidences(top), min(window, len(top))
    groups = [confidences[i : i + size] for i in range(len(top) - size + 1)]
    expected = min(math.fsum(group) / size for group in groups)
    assert lowest_group_confidence(top, window) == pytest.approx(expected)


# As verifiers -------------------------------------------------------------------------------------

SURE = trace(0, logprobs=(HALF, 0.0), top=tuple(places(FLAT, PEAKED)))
BARE = trace(1)
VALUES = {
    "mean_logprob": 2**-0.5,
    "lowest_group(1)": 0.5,
    "tail(1)": 1.0,
    "tail": 2**-0.5,
    "lowest_group(1, top=2)": TOKEN["flat"] / (1 + TOKEN["flat"]),
    "tail(1, top=2)": TOKEN["peaked"] / (1 + TOKEN["peaked"]),
    "self_certainty(2)": (-math.log(0.36) / 4) / (1 - math.log(0.36) / 4),
    "entropy": math.exp(-(math.log(2) - 0.9 * math.log(0.9) - 0.1 * math.log(0.1)) / 2),
}


@pytest.mark.parametrize("name", VALUES)
async def test_scores_by_name(name: str) -> None:
    verifier = registry.find(name)
    assert verifier.name == name
    asked = await ask(verifier, [SURE, BARE], Scripted([]))
    assert asked.values == [pytest.approx(VALUES[name]), None]
    assert verifier.needs_logprobs


BAD = {
    "lowest_group(0)": "expected a whole number from 1 to",
    "tail:x": "expected a whole number from 1 to",
    "tail(tip=3)": "unknown option of verifier 'tail' 'tip': did you mean 'top'",
    "tail(top=99)": "top must be a whole number from 1 to 20",
    "entropy(0)": "expected a whole number from 1 to 20",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r".") as refused:
        registry.find(name)
    assert BAD[name] in str(refused.value)


@pytest.mark.parametrize(
    ("name", "alternatives"),
    [
        ("mean_logprob", 0),
        ("lowest_group(64)", 0),
        ("tail(128, top=5)", 5),
        ("self_certainty", 20),
        ("first(mean_logprob, product(tail, entropy(7)))", 7),
    ],
)
def test_a_run_asks_for_what_its_verifier_needs(name: str, alternatives: int) -> None:
    asked = spec("6 x 7 = ?", model="m", strategy="best_of_n", verifier=name)
    assert asked.sampling.logprobs
    assert asked.sampling.top_logprobs == alternatives


def test_a_model_without_alternatives_is_refused_before_the_first_token() -> None:
    asked = resolve(spec("6 x 7 = ?", model="m", strategy="best_of_n", verifier="entropy"))
    able = EVERYTHING - {"top_logprobs"}
    with pytest.raises(UsageError, match="'entropy' needs the alternatives of each token"):
        check(asked, ModelInfo("m", able, Shape(1), local=True), priced=False)
    check(asked, ModelInfo("m", EVERYTHING, Shape(1), local=True), priced=False)


@pytest.mark.parametrize(
    "name", ["self_certainty(2)", "entropy(2)", "lowest_group(2, top=2)", "tail(1, top=2)"]
)
async def test_more_alternatives_than_it_asks_for_change_no_score(name: str) -> None:
    few = ({"a": -0.1, "b": -2.0}, {"c": -0.2, "d": -3.0})
    many = tuple({"x": -9.0, **place, "y": -8.0} for place in few)
    traces = [replace(trace(at, "42"), top=top) for at, top in enumerate((few, many))]
    asked = await ask(registry.find(name), traces, Scripted([]))
    one, other = asked.values
    assert one == other
    assert one

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.verifiers.confidence import lowest_group, mean_logprob

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

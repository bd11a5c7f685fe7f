"""A score is within 0 and 1, whoever made it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.problem import Problem
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, rank
from ponder.verifiers.confidence import Confidence
from ponder.verifiers.registry import find
from tests.support.jobs import PROBLEM, trace


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (148.0, "148"),
        (-0.5, "-0.5"),
        (1.001, "1.001"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (2, "2"),
        (10**400, "a value of type int"),
        ("0.5", "a value of type str"),
        ([0.5], "a value of type list"),
        ("\x1b[2J", "a value of type str"),
    ],
)
def test_a_value_that_is_none_is_an_error_of_that_one_score(value: Any, said: str) -> None:
    for verdict in (None, "pass", "scored"):
        score = Score(value, "mine", verdict=verdict)
        assert (score.value, score.verdict) == (None, "error")
        assert score.detail == f"expected a score from 0 to 1, not {said}"
    assert Score(value, "mine", "because").detail.endswith("; because")
    assert rank((trace(0, "42"), Score(value, "mine"))) == (True, -math.inf)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0, 0), (1, 1), (0.0, 0.0), (1.0, 1.0), (1 + 1e-12, 1.0), (-1e-12, 0.0), (True, 1.0)],
)
def test_what_is_at_the_edge_is_kept(value: Any, kept: float) -> None:
    score = Score(value, "mine")
    assert (score.value, score.verdict, score.detail) == (kept, "scored", "")
    assert type(score.value) is not bool


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none()))
def test_every_score_can_be_written_and_read_again(value: Any) -> None:
    score = Score(value, "mine")
    assert score.value is None or 0 <= score.value <= 1
    again = json.loads(json.dumps(asdict(score), allow_nan=False))
    assert Score(**again) == score


NAMES = ["mean_logprob", "lowest_group", "lowest_group(2)", "tail(3)", "self_certainty(2)"]
NAMES += ["entropy(2)", "lowest_group(2, top=2)", "tail(2, top=2)"]


async def judged(name: str, logprobs: tuple[float, ...], top: Any) -> Score:
    verifier = find(name)
    traces = [trace(0, "42", logprobs=logprobs, top=top)]

    async def nobody(call: Any) -> Any:
        raise AssertionError("nothing is asked of anybody")

    [score] = await verifier.score(PROBLEM, traces, Session(Run(nobody, 0)))
    return score


ODD = [148.0, math.inf, -math.inf, math.nan, 800.0, 1e308, -1e308, 0.0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ODD)
async def test_log_probabilities_of_no_model_are_no_traceback(name: str, value: float) -> None:
    """A trace may come from a file of somebody else."""
    for logprobs in ((value,), (value, -0.5, value, -0.5), (-0.5, value, value)):
        top = tuple({"a": p, "b": value} for p in logprobs)
        score = await judged(name, logprobs, top)
        assert score.value is None or 0 <= score.value <= 1
        json.dumps(asdict(score), allow_nan=False)


async def test_any_verifier_of_ones_own_is_bounded() -> None:
    mine = Confidence("mine", lambda _: 148.0)
    [score] = await mine.score(Problem(PROBLEM.messages), [trace(0)], None)  # type: ignore[arg-type]
    assert (score.value, score.verdict) == (None, "error")

"""What can be asked of a model's own thinking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import CapabilityError, UsageError
from ponder.core.record.effects import Sampling
from ponder.core.thinking import LEVELS, MOST, Thinking
from ponder.models.base import ModelInfo
from ponder.planning.capabilities import check
from ponder.planning.plan import resolve
from ponder.planning.presets import preset
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec


@given(st.sampled_from(LEVELS) | st.integers(1, MOST))
def test_what_is_written_is_read_again(value: str | int) -> None:
    thinking = Thinking.read(value)
    assert thinking is not None
    assert str(thinking) == str(value)
    assert Thinking.read(str(thinking)) == thinking == Thinking.read(thinking)


@pytest.mark.parametrize(
    "value", ["", "lots", "0", 0, -1, "1_0", "٣", MOST + 1, True, 2.0, "9" * 9]
)
def test_all_else_is_refused_in_one_sentence(value: object) -> None:
    with pytest.raises(UsageError, match=r"^thinking must be off, minimal, .*, not .*\.$"):
        Thinking.read(value)


def test_no_effort_has_tokens_beside_it() -> None:
    with pytest.raises(UsageError, match="thinking must be"):
        Thinking("low", 8)


def test_a_plan_carries_it_and_a_journal_knows_nothing_of_it_where_it_is_not_asked_for() -> None:
    assert "thinking" not in preset().sampling.describe()
    assert "thinking" not in spec("2+2?", model="m").to_json()["sampling"]
    asked = spec("2+2?", model="m", knobs={"thinking": "8000"})
    assert asked.sampling == Sampling(1024, thinking=Thinking(tokens=8000))
    assert asked.sampling.describe()["thinking"] == "8000"
    assert Spec.from_json(asked.to_json()) == asked


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    asked = spec("2+2?", model="m", knobs={"thinking": "low"})
    check(resolve(asked), ModelInfo("m", frozenset({"native_thinking"})), priced=True)
    with pytest.raises(CapabilityError, match=r"thinking=low is asked of m, which has no thinking"):
        check(resolve(asked), ModelInfo("m", frozenset({"logprobs"})), priced=True)

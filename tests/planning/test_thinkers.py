"""The shipped votes of models that think by themselves, and where they are said."""

from __future__ import annotations

import pytest

from ponder.core.worth import Worth
from ponder.models.base import ModelInfo
from ponder.planning.presets import PRESETS, THINKING
from ponder.planning.thinkers import shipped
from ponder.planning.wishes import spec
from ponder.strategies.registry import choose
from tests.support.commands import ponder


def test_the_shipped_votes_are_votes_of_the_last_effort() -> None:
    found = shipped()
    assert list(found.votes) == ["max"]
    assert found.votes.keys() <= PRESETS.keys() & THINKING.keys()
    for knobs in found.votes.values():
        assert knobs.items() <= choose("self_consistency", knobs).values.items()
    assert found.basis.startswith("6 models on AIME24+25, GPQA, MATH-500 (")


def test_a_worth_sets_the_price_of_the_vote() -> None:
    thinker = ModelInfo("thinker", frozenset({"native_thinking"}))
    found = spec("?", model="m", effort="max", worth=0.05).settled(thinker)
    assert (found.worth, found.knobs["stop"]) == (Worth(0.05), "value(price=0.0005)")


def test_the_command_says_to_what_they_were_fitted(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ponder(capsys, "strategies")
    assert code == 0
    assert f"n=16 stop=value(price=0.0005), fitted to {shipped().basis}" in " ".join(out.split())

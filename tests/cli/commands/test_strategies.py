"""``ponder strategies``."""

from __future__ import annotations

import json

import pytest

from ponder.strategies.registry import STRATEGIES
from tests.support.commands import ponder


def test_every_strategy_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ponder(capsys, "strategies")
    assert (code, err) == (0, "")
    for name in STRATEGIES:
        assert any(line.startswith(name) for line in out.splitlines())
    assert "all: length, temperature, top_p" in out


def test_what_a_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ponder(capsys, "strategies", "--json")
    assert code == 0
    found = {row["name"]: row for row in json.loads(out)}
    assert found["direct"]["verifier"] == "never"
    assert found["best_of_n"]["verifier"] == "always"
    assert found["self_consistency"]["verifier"] == "by its knobs"
    assert found["beam_search"]["needs"] == ["prefill", "stop"]
    assert [name for name, one in found.items() if one["executes"]] == ["program"]
    assert "code" not in found["program"]["answers"]
    assert found["beam_search"]["knobs"]["width"] == {"default": 4, "values": "1 to 256"}
    steps = found["dvts"]["knobs"]["steps"]
    assert steps == {
        "default": "paragraph",
        "values": "paragraph, line, sentence, numbered, tokens, at(TEXT)",
    }
    assert found["budget_forcing"]["knobs"]["word"] == {"default": "Wait", "values": "str"}

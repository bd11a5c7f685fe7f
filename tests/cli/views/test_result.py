"""A run's result in words."""

from __future__ import annotations

from typing import get_args

import pytest

from ponder.cli.views import result as view
from ponder.core.costs.ledger import Item, Receipt
from ponder.runtime.result import Result, StoppedBy
from tests.support.jobs import trace


@pytest.mark.parametrize("thought", [0, 6])
def test_a_receipt_tells_of_thinking_where_there_was_some(
    thought: int, capsys: pytest.CaptureFixture[str]
) -> None:
    view.receipt(
        Receipt((Item("generate", "m", 1, completion_tokens=9, reasoning_tokens=thought),))
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert (["of", "them", "thinking", "6"] in rows) == bool(thought)
    assert any("thinking" in row for row in rows) == bool(thought)


@pytest.mark.parametrize("guessed", [0, 4])
def test_a_receipt_says_which_part_is_estimated(
    guessed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    view.receipt(Receipt((Item("generate", "m", 1, reasoning_tokens=6, estimated_tokens=guessed),)))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert (["of", "that", "estimated", "4"] in rows) == bool(guessed)
    assert any("estimated" in row for row in rows) == bool(guessed)


@pytest.mark.parametrize("stopped", [w for part in get_args(StoppedBy) for w in get_args(part)])
def test_every_end_of_a_run_has_its_words(stopped: StoppedBy) -> None:
    result = Result(None, None, "s", {}, "m", None, 0, stopped, Receipt(()), ())
    assert view._ended(result).startswith("s on m: ")
    assert view._sure(result).startswith("no sample came to an answer: ")
    assert "refusal" not in result.to_json()


@pytest.mark.parametrize(("said", "words"), [("I will not.", ": I will not."), ("", ".")])
def test_a_refusal_is_told_in_words_and_as_json(said: str, words: str) -> None:
    refused = trace("0", text=said, finish="refusal")
    result = Result(None, None, "s", {}, "m", None, 0, "done", Receipt(()), (), trace=refused)
    assert view._sure(result) == f"the model refused to answer{words}"
    assert result.to_json()["refusal"] == said

"""What a refusal teaches, by its words."""

from __future__ import annotations

import json

import pytest

from ponder.models.gemini.refusals import read
from ponder.models.http.wire import Change


def drops(*names: str) -> Change:
    return Change(drop=frozenset(names))


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("Thinking is not enabled for models/m", drops("thinkingConfig")),
        ("Thinking level is not supported for this model.", drops("thinkingLevel")),
        ("Thinking budget is not supported for this model.", drops("thinkingBudget")),
        ("The thinking budget 5 is invalid. Please choose a value between 128 and 32768.",
         drops("thinkingBudget")),
        ("Budget 0 is invalid. This model only works in thinking mode.",
         drops("thinkingBudget=0")),
        ("Thinking level LOW is not supported for this model.", Change(efforts=("high",))),
        ("Logprobs is not enabled for models/m", drops("responseLogprobs", "logprobs")),
        ("Invalid JSON payload received. Unknown name \"seed\" at 'generation_config': Cannot find",
         drops("seed")),
        ("Unable to submit request because it has a maxOutputTokens value of 70000 but the "
         "supported range is from 1 (inclusive) to 65537 (exclusive). Update the value and try "
         "again.",
         Change(most_tokens=65_536)),
        ("User location is not supported for the API use.", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("listed", [False, True])
def test_a_refusal_is_read_by_its_words(reason: str, change: Change | None, listed: bool) -> None:
    error = {"error": {"code": 400, "message": reason, "status": "INVALID_ARGUMENT"}}
    body = json.dumps([error] if listed else error).encode()
    assert read(400, body, ("low", "high")) == change
    assert read(503, body, ("low", "high")) is None


def test_a_model_that_takes_none_of_the_levels_is_asked_for_none() -> None:
    body = b'{"error": {"message": "Thinking level HIGH is not supported for this model."}}'
    assert read(400, body, ("high",)) == drops("thinkingLevel")

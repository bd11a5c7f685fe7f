"""What a refusal teaches, by its words."""

from __future__ import annotations

import json

import pytest

from ponder.models.anthropic.refusals import read
from ponder.models.http.failures import reason_of
from ponder.models.http.wire import Change


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        (
            "input length and `max_tokens` exceed context limit: 198000 + 8000 > 200000, decrease",
            Change(context=200_000, prompt=198_000),
        ),
        (
            "This model does not support the effort parameter.",
            Change(drop=frozenset({"output_config"})),
        ),
        ("`top_p` is deprecated for this model.", Change(drop=frozenset({"top_p"}))),
        ("temperature: Extra inputs are not permitted", Change(drop=frozenset({"temperature"}))),
        ("max_tokens: 64001 > 64000, which is the maximum", Change(most_tokens=64_000)),
        ("Your credit balance is too low.", None),
    ],
)  # fmt: skip
def test_a_refusal_is_read_by_its_words(reason: str, change: Change | None) -> None:
    body = json.dumps({"type": "error", "error": {"type": "x", "message": reason}}).encode()
    assert reason_of(body) == reason
    assert read(400, body) == change
    assert read(429, body) is None

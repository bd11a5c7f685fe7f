"""The words for the end of a sample."""

from __future__ import annotations

import pytest

from ponder.models.finish import read_finish


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("tool_calls", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("content_filter", "refusal"),
        ("refusal", "refusal"),
        ("error", "error"),
        ("abort", "error"),
        ("LANGUAGE", "refusal"),
        ("OTHER", "error"),
        ("MALFORMED_RESPONSE", "error"),
        ("CONTINUATION", "length"),
    ],
)
@pytest.mark.parametrize("ended", [True, False])
def test_a_word_says_it_whether_or_not_more_comes(word: str, finish: str, ended: bool) -> None:
    assert read_finish(word, ended=ended) == finish


@pytest.mark.parametrize("word", ["", None])
def test_no_word_is_judged_by_the_reply(word: str | None) -> None:
    assert read_finish(word, ended=True) == "stop"
    assert read_finish(word, ended=False) is None

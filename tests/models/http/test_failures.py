"""Refusals in the words of servers."""

from __future__ import annotations

import pytest

from ponder.models.http.failures import _is_final, reason_of, retry_in


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": {"message": "no"}}', "no"),
        (b' [{"error": {"message": "no"}}\n]\n', "no"),
        (b"[no]", "[no]"),
        (b"", "no reason given"),
    ],
)
def test_the_reason_is_found_alone_and_in_a_list(body: bytes, reason: str) -> None:
    assert reason_of(body) == reason


@pytest.mark.parametrize(
    ("reason", "seconds", "final"),
    [
        ("You exceeded your current quota, check your plan.", 0.0, True),
        ("You exceeded your current quota. Please retry in 7s.", 7.0, False),
        ("You exceeded your current quota. Please retry in 41.5628s.", 41.5628, False),
        ("insufficient_quota", 0.0, True),
        ("Too many requests", 0.0, False),
    ],
)
def test_a_quota_that_names_a_time_is_waited_for(reason: str, seconds: float, final: bool) -> None:
    assert retry_in(reason) == seconds
    assert _is_final(reason) == final

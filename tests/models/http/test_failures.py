"""Refusals in the words of servers."""

from __future__ import annotations

import pytest

from ponder.core.errors import RateLimited
from ponder.core.problem import Message
from ponder.models.base import Request, silent
from ponder.models.http.callers import Caller
from ponder.models.http.failures import Failure, _is_final, lost, reason_of, retry_in


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


def test_a_limit_says_for_how_long_the_server_asks_to_wait() -> None:
    request = Request((Message("user", "hi"),), 10)
    [(_, error)] = lost(Failure(RateLimited, "slow down.", after=7.5), request, [Caller(silent)])
    assert isinstance(error, RateLimited)
    assert error.after == 7.5

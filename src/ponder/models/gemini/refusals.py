"""Lessons from the words of Gemini's refusals: its errors have no code for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ponder.models.http.carried import SIGNED, refused
from ponder.models.http.failures import reason_of
from ponder.models.http.wire import Change

_SAID = {
    "Thinking is not enabled": {"thinkingConfig"},
    "Thinking level is not supported": {"thinkingLevel"},
    "Thinking budget is not supported": {"thinkingBudget"},
    "The thinking budget": {"thinkingBudget"},  # not in the range of an unknown model
    "Budget 0 is invalid": {"thinkingBudget=0"},
    "Logprobs is not enabled": {"responseLogprobs", "logprobs"},
}
_LEVEL = re.compile(r"Thinking level (\w+) is not supported", re.I)
_MOST = re.compile(r"maxOutputTokens value of \d+ but .* to (\d{1,18}) \(exclusive\)")
_UNKNOWN = re.compile(r'Unknown name "(\w+)"')


def read(status: int, body: bytes, efforts: Sequence[str]) -> Change | None:
    """Return the change that a refusal asks for; None if it names none.

    ``efforts`` are the levels that the model was believed to take.
    """
    if status != 400:
        return None
    reason = reason_of(body)
    if found := _UNKNOWN.search(reason):
        return Change(drop=frozenset({found[1]}))
    if found := _MOST.search(reason):
        return Change(most_tokens=int(found[1]) - 1)
    if refused(reason):
        return Change(drop=frozenset({SIGNED}))
    for words, drop in _SAID.items():
        if words in reason:
            return Change(drop=frozenset(drop))
    if found := _LEVEL.search(reason):
        left = tuple(effort for effort in efforts if effort != found[1].lower())
        return Change(efforts=left) if left else Change(drop=frozenset({"thinkingLevel"}))
    return None

"""Lessons from the words of Anthropic's refusals: its errors have no code for them."""

from __future__ import annotations

import re

from ponder.models.http.carried import SIGNED, refused
from ponder.models.http.failures import reason_of
from ponder.models.http.wire import Change
from ponder.models.thinking import LEVELS

_THINKING = re.compile(r'"?thinking\.type\.(\w+)"? is not supported|(adaptive) thinking is not')
_LEVELS = re.compile(r"does not support effort level .*Supported levels: ([\w, ]+)")
_FIELD = re.compile(
    r"`?(temperature|top_p|stop_sequences|output_config|thinking)`?"
    r"(?: is deprecated| may only be set| must be greater|: Extra inputs are not permitted)"
)
_MOST = re.compile(r"max_tokens: \d+ > (\d{1,18}), which is the maximum")
_CONTEXT = re.compile(r"context limit: (\d+) \+ \d+ > (\d+)")


def read(status: int, body: bytes) -> Change | None:
    """Return the change that a refusal asks for; None if it names none."""
    if status != 400:
        return None
    reason = reason_of(body)
    if found := _THINKING.search(reason):
        return Change(drop=frozenset({f"thinking.{found[1] or found[2]}"}))
    if found := _LEVELS.search(reason):
        taken = re.split(r"\W+", found[1])
        return Change(efforts=tuple(level for level in LEVELS if level in taken))
    if "output_config.format" in reason or "output format" in reason:
        return Change(drop=frozenset({"output_config.format"}))
    if "does not support the effort parameter" in reason:
        return Change(drop=frozenset({"output_config"}))
    if found := _FIELD.search(reason):
        return Change(drop=frozenset({found[1]}))
    if refused(reason):
        return Change(drop=frozenset({SIGNED}))
    if found := _MOST.search(reason):
        return Change(most_tokens=int(found[1]))
    if found := _CONTEXT.search(reason):
        return Change(context=int(found[2]), prompt=int(found[1]))
    return None

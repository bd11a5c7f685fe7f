"""What a refusal of Chat Completions teaches, by its words: vendors have no common code for it."""

from __future__ import annotations

import re

from ponder.models.http.failures import reason_of
from ponder.models.http.wire import Change

_FIELDS = ("temperature", "top_p", "seed", "stop", "logprobs", "top_logprobs", "stream_options")
_REFUSED = re.compile(
    r"not support|unsupported|unrecognized|not permitted|not allowed|unknown|extra", re.I
)
_CONTEXT = re.compile(
    r"maximum context length (?:is|of) (?P<context>[\d,]+)"
    r".*?(?P<prompt>[\d,]+) (?:tokens )?(?:in|from|of) the (?:messages|input|prompt)",
    re.I | re.S,
)


def read(status: int, body: bytes) -> Change | None:
    """Return the change that a refusal asks for; None if it names none."""
    reason = reason_of(body)
    if status not in (400, 422):
        return None
    if found := _CONTEXT.search(reason):
        context, prompt = (int(found[name].replace(",", "")) for name in ("context", "prompt"))
        return Change(context=context, prompt=prompt)
    if "max_completion_tokens" in reason and "max_tokens" in reason:
        return Change(max_tokens_field="max_completion_tokens")
    if _REFUSED.search(reason):
        named = re.findall(r"[\'\"`](\w+)[\'\"`]", reason)
        if drop := [name for name in named if name in _FIELDS][:1]:
            return Change(drop=frozenset(drop))
    return None

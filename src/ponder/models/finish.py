"""The servers' finish reasons, mapped to a closed set."""

from __future__ import annotations

from ponder.core.trace import Finish

_WORDS: dict[str, Finish] = {
    "tool_calls": "stop",
    "tool_use": "stop",
    "function_call": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_completion_tokens": "length",
    "model_context_window_exceeded": "length",
    "token_limit": "length",
    "pause_turn": "length",
    "incomplete": "length",
    "model_length": "length",
    "max_output_tokens": "length",
    "continuation": "length",
    "content_filter": "refusal",
    "refusal": "refusal",
    "safety": "refusal",
    "content_filtered": "refusal",
    "guardrail_intervened": "refusal",
    "recitation": "refusal",
    "prohibited_content": "refusal",
    "blocklist": "refusal",
    "spii": "refusal",
    "image_safety": "refusal",
    "image_prohibited_content": "refusal",
    "image_recitation": "refusal",
    "language": "refusal",
    "escalation": "refusal",
    "pup_limited_disabled": "refusal",
    "model_armor": "refusal",
    "error": "error",
    "abort": "error",
    "aborted": "error",
    "cancelled": "error",
    "canceled": "error",
    "failed": "error",
    "timeout": "error",
    "insufficient_system_resource": "error",
    "malformed_function_call": "error",
    "malformed_response": "error",
    "unexpected_tool_call": "error",
    "too_many_tool_calls": "error",
    "missing_thought_signature": "error",
    "no_image": "error",
    "image_other": "error",
    "other": "error",
    "network_error": "error",
    "engine_overloaded": "error",
}


_NOTHING = ("null", "none", "unknown", "finish_reason_unspecified", "unspecified", "not_finished")
"""Words that say nothing."""


def read_finish(word: str | None, *, ended: bool) -> Finish | None:
    """Return the reason why a sample ended, from its server's ``word``.

    ``ended`` is True if no more of the sample follows. Then an unknown or empty word means that the
    model ended by itself; before that, an empty word means nothing.
    """
    if not word or word.lower() in _NOTHING:
        return "stop" if ended else None
    return _WORDS.get(word.lower(), "stop")

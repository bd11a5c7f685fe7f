"""The servers' finish reasons, mapped to one of four."""

from __future__ import annotations

from ponder.core.trace import Finish

_WORDS: dict[str, Finish] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "max_output_tokens": "length",
    "content_filter": "refusal",
    "refusal": "refusal",
    "safety": "refusal",
    "error": "error",
    "abort": "error",
    "cancelled": "error",
}


def read_finish(word: str | None, *, ended: bool) -> Finish | None:
    """Return the reason why a sample ended, from its server's ``word``.

    ``ended`` is True if no more of the sample follows. Then an unknown or empty word means that the
    model ended by itself; before that, an empty word means nothing.
    """
    if not word:
        return "stop" if ended else None
    return _WORDS.get(word.lower(), "stop")

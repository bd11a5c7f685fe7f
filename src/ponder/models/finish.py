"""The words that servers have for the end of a sample, as one of four."""

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
    """Why a sample ended, by its server's ``word``.

    ``ended`` is True if nothing more of it comes. A word that is not known here is then its own
    way to say that it is done, and so is an empty one; before that, an empty one says nothing.
    """
    if not word:
        return "stop" if ended else None
    return _WORDS.get(word.lower(), "stop")

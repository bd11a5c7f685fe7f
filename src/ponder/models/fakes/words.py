"""The deltas and the tokens of a finished reply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ponder.core.trace import Delta
from ponder.models.base import Completion


def deltas(done: Completion, *, watched: bool) -> Iterator[Delta]:
    """Yield its deltas word by word, reasoning first; if not ``watched``, one delta
    without text.
    """
    prompt, tokens = done.prompt_tokens, done.completion_tokens
    if watched:
        pieces = [(word, "") for word in _words(done.reasoning)]
        pieces += [("", word) for word in _words(done.text)]
        for place, (thought, word) in enumerate(pieces[:-1], 1):
            yield Delta(word, thought, tokens * place // len(pieces), prompt)
        if pieces:
            thought, word = pieces[-1]
            yield Delta(word, thought, tokens, prompt)
            return
    yield Delta(tokens=tokens, prompt_tokens=prompt)


def spelled(words: Sequence[str]) -> Iterator[bytes]:
    """Yield each word as a token, with the blank before it."""
    for at, word in enumerate(words):
        yield f" {word}".encode() if at else word.encode()


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [word for word in (first, *(f" {word}" for word in rest)) if word]

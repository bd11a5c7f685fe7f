"""Thinking that a model writes between marks is told from its text, whole or as it grows."""

from __future__ import annotations

from ponder.core.text.marks import Splitter, split


def part(text: str, prefix: str = "", *, opened: bool = False) -> tuple[str, str]:
    """Return the reasoning and the text of a raw text that continues ``prefix``.

    ``opened``: the prompt begins the thinking, and there is no prefix.
    """
    if not prefix:
        whole = split(text, opened=opened)
        return whole.reasoning, whole.text
    before = split(prefix)
    whole = split(prefix + text)
    return whole.reasoning.removeprefix(before.reasoning), whole.text.removeprefix(before.text)


def settled(prefix: str) -> bool:
    """Return True if the thinking before the end of the prefix is over, so that text follows."""
    before = split(prefix)
    return before.closed and bool(before.text.strip())


class Growing:
    """Tells the thinking from the text of a sample that grows."""

    def __init__(self, prefix: str = "", *, opened: bool = False) -> None:
        self._splitter = Splitter(opened and not prefix)
        self._splitter.feed(prefix)

    def add(self, piece: str) -> tuple[str, str]:
        """Return the text and the reasoning that the piece adds, as far as they are certain."""
        reasoning, text = self._splitter.feed(piece)
        return text, reasoning

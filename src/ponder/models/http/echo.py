"""A prefix that a reply says again before it goes on: taken out, so that no text holds it twice.

A server that was to continue a message may send it back with what it adds, or not continue it at
all, so that the model begins anew.
"""

from __future__ import annotations

LEAST = 12
"""Characters of the shortest prefix that nobody would say twice."""


class Echo:
    """Takes a prefix out of the beginning of a text that grows.

    White space at its end may be left out there. A prefix of fewer than ``least`` characters may
    well be said again, and is left alone.
    """

    def __init__(self, prefix: str, least: int = LEAST) -> None:
        self._prefix = prefix.rstrip()
        self._owed = prefix[len(self._prefix) :]
        self._at = 0
        self._settled = len(self._prefix) < max(1, least)
        self.met = False
        """True once the text has said all of it again."""

    @property
    def held(self) -> str:
        """The text so far, while it may still become the prefix."""
        return "" if self._settled else self._prefix[: self._at]

    def feed(self, text: str) -> str:
        """Return the text that is certain, and not the prefix, once ``text`` has arrived."""
        if not self._settled:
            text = self._compared(text)
        while self.met and self._owed and text:
            same = text[0] == self._owed[0]
            text = text[1:] if same else text
            self._owed = self._owed[1:] if same else ""
        return text

    def _compared(self, text: str) -> str:
        size = min(len(text), len(self._prefix) - self._at)
        if not self._prefix.startswith(text[:size], self._at):
            held, self._settled = self.held, True
            return held + text
        self._at += size
        self.met = self._settled = self._at == len(self._prefix)
        return text[size:]

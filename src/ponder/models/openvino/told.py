"""The part of a growing text that can be reported although a stop string may still end it."""

from __future__ import annotations

from collections.abc import Sequence


class Told:
    """Holds back the end of a text as long as a stop string may start there."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self._told = 0
        self._stopped = False

    def add(self, text: str) -> str:
        """Return the part of the text so far that is certain and was not reported before."""
        if not text or self._stopped:
            return ""
        held = self._held + text
        ends = [at for stop in self._stops if (at := held.find(stop)) >= 0]
        self._stopped = bool(ends)
        at = min(ends, default=len(held) - self._open(held))
        self._held = held[at:]
        self._told += at
        return held[:at]

    def rest(self, text: str) -> str:
        """Return the unreported rest, now that the whole text is known."""
        return text[self._told :]

    def _open(self, text: str) -> int:
        """Return the length of the longest end of the text that is a prefix of a stop string."""
        lengths = (
            size
            for stop in self._stops
            for size in range(min(len(stop) - 1, len(text)), 0, -1)
            if text.endswith(stop[:size])
        )
        return max(lengths, default=0)

"""The part of a growing text that can be reported although a stop string may still end it."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import offered
from ponder.core.tools import ToolCall
from ponder.models import calls
from ponder.models.apart import Growing, part
from ponder.models.base import Request


class Told:
    """Holds back the end of a text as long as a stop string may start there."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [*stops]
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


class Spoken:
    """The text of one sample, whole or as it grows: its thinking and its calls of tools apart.

    Text from the beginning of a call on is held back until the end, and so is one that may be the
    bare JSON of calls.
    """

    def __init__(self, request: Request, *, opened: bool) -> None:
        tools = offered(request.messages)
        self._tools = tools if tools and tools.choice != "none" and not request.prefix else None
        self._begun = calls.begun(self._tools)
        self._request, self._opened = request, opened and not self._begun
        self._told = Told((*request.stop, *([calls.OPEN] if self._tools else [])))
        self._growing = Growing(request.prefix, opened=self._opened)
        self._said, self._thought, self._held = 0, 0, ""

    def add(self, text: str) -> tuple[str, str]:
        """Return the text and the reasoning that is certain, once ``text`` has been generated."""
        certain = "" if self._begun else self._told.add(text)
        said, thought = self._growing.add(certain) if certain else ("", "")
        if self._tools and not self._said:
            self._held += said
            bare = self._held.lstrip()[:1] in ("", "{", "[", "`")
            said = "" if bare else self._held
        self._said, self._thought = self._said + len(said), self._thought + len(thought)
        return said, thought

    def whole(self, text: str) -> tuple[str, str, tuple[ToolCall, ...]]:
        """Return the text, the reasoning and the calls of all that was generated."""
        reasoning, said = part(self._begun + text, self._request.prefix, opened=self._opened)
        if self._tools is None:
            return said, reasoning, ()
        said, made = calls.read(said, self._tools)
        return said, reasoning, calls.named(made, self._request)

    def rest(self, text: str, reasoning: str) -> tuple[str, str]:
        """Return the part of the whole text and reasoning that ``add`` has not returned."""
        return text[self._said :], reasoning[self._thought :]

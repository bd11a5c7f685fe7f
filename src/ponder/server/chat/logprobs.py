"""Log-probabilities of the tokens that spell a reply's content, if its sample has them.

A reply is one sample's text, or a part of it. Where Ponder has written some of it (the name of a
choice, a program's output, a forced answer), or where its place among the sample's tokens is not
certain, there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core.trace import Trace
from ponder.server.telling.answered import Reply

TOGETHER = 16
"""Most tokens of one chunk of a stream, unless they end within a character."""


@dataclass(frozen=True, slots=True)
class Spelled:
    """A stretch of a content, and its tokens as the API lists them."""

    content: str
    tokens: list[dict[str, Any]]

    @property
    def logprobs(self) -> dict[str, Any]:
        """The ``logprobs`` of a choice with this content."""
        return told(self.tokens)


def told(tokens: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the ``logprobs`` of a choice."""
    return {"content": list(tokens), "refusal": None}


def spelled(reply: Reply, most: int) -> list[Spelled]:
    """Return the content in stretches of some tokens, each with ``most`` alternatives; nothing if
    the tokens that spell it are not known.

    The first and the last token may begin and end with white space that the content has not.
    """
    trace, said = reply.trace, reply.content.encode(errors="replace")
    pieces, logprobs = trace.pieces, trace.logprobs
    if not said or pieces is None or logprobs is None or len(pieces) != len(logprobs):
        return []
    raw = b"".join(pieces)
    start = _place(raw, said, trace, whole=reply.content in (trace.text, trace.text.strip()))
    if start is None:
        return []
    top = trace.top if trace.top is not None and len(trace.top) == len(pieces) else None
    found: list[Spelled] = []
    row: list[dict[str, Any]] = []
    at, sent, end = 0, start, start + len(said)
    for place, (piece, logprob) in enumerate(zip(pieces, logprobs, strict=True)):
        at, before = at + len(piece), at
        if at <= start:
            continue
        if before >= end:
            break
        row.append(_token(piece, logprob, top[place] if top else {}, most))
        if at >= end or (len(row) >= TOGETHER and raw[at] & 0xC0 != 0x80):  # no part of a character
            found.append(Spelled(raw[sent : min(at, end)].decode(), row))
            row, sent = [], at
    return found


def _place(raw: bytes, said: bytes, trace: Trace, *, whole: bool) -> int | None:
    """Return the place of a content in all that its sample has generated; None unless it is
    certain. A ``whole`` text follows the thinking, or nothing.
    """
    if whole and not trace.reasoning:
        start = len(raw) - len(raw.lstrip())
        if raw.startswith(said, start):
            return start
    if whole and trace.reasoning and raw.rstrip().endswith(said):
        return len(raw.rstrip()) - len(said)
    first = raw.find(said)
    return first if first >= 0 and raw.find(said, first + 1) < 0 else None


def _token(piece: bytes, logprob: float, place: Mapping[str, float], most: int) -> dict[str, Any]:
    likely = sorted(place.items(), key=lambda item: -item[1])[:most]
    return {
        "token": piece.decode(errors="replace"),
        "bytes": list(piece),
        "logprob": logprob,
        "top_logprobs": [
            {"token": text, "bytes": _bytes(text), "logprob": chance} for text, chance in likely
        ],
    }


def _bytes(text: str) -> list[int] | None:
    """Return the bytes of an alternative, of which only the text is kept; None if it is a part of
    a character.
    """
    return None if "\ufffd" in text else list(text.encode())

"""Framing of a stream: bytes become the data of server-sent events, or one whole reply."""

from __future__ import annotations

import re

MARK = b"\xef\xbb\xbf"
"""The byte-order mark."""
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Framer:
    """Divides a body into the data of its events, in time proportional to its length.

    A server that was asked for a stream may send one JSON object instead: a reply or an error. It
    is then ``whole``. Lines end in any of the three ways of the standard, a byte-order mark is
    ignored, and so are comments, empty events and fields other than ``data``. An event whose data
    is one line is passed on at once, without waiting for the empty line after it. So is an error
    outside of any event: an object on one line, or indented on several (Gemini).
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._bare: list[bytes] = []
        self._start = True
        self._after_return = False
        self._body: bytearray | None = None

    @property
    def whole(self) -> bytes | None:
        """All of a body that is no stream; None for a stream."""
        return None if self._body is None else bytes(self._body)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that these bytes complete."""
        if self._start:
            self._line += data
            head = bytes(self._line[:64])
            start = head.removeprefix(MARK).lstrip()
            if len(head) < 64 and (not start or MARK.startswith(head)):
                return []
            self._start = False
            data = bytes(self._line).removeprefix(MARK)
            self._line.clear()
            if start[:1] in (b"{", b"["):
                self._body = bytearray()
        if self._body is not None:
            self._body += data
            return []
        if self._after_return and data[:1] == b"\n":
            data = data[1:]
        if data:
            self._after_return = data[-1:] == b"\r"
        *lines, rest = _LINE_END.split(data)
        events: list[bytes] = []
        for line in lines:
            self._line += line
            self._take(bytes(self._line), events)
            self._line.clear()
        self._line += rest
        return events

    def end(self) -> list[bytes]:
        """Return the data of the last event, if the body ended within it."""
        events: list[bytes] = []
        if self._body is None:
            self._take(bytes(self._line), events)
            self._end_bare(events)
            self._take(b"", events)
            self._line.clear()
        return events

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if self._bare and not line.startswith(b"data:"):
            if line:
                self._bare.append(line)
            if line.rstrip() == b"}":
                self._end_bare(events)
            return
        self._end_bare(events)
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        elif line.startswith(b"data:"):
            value = line[5:].strip()
            if not self._data and (value == b"[DONE]" or value[:1] + value[-1:] == b"{}"):
                events.append(value)
            elif value or self._data:
                self._data.append(value)
        elif line.rstrip() == b"{" and not self._data:
            self._bare.append(line)
        elif line[:1] == b"{" and not self._data:
            events.append(line)

    def _end_bare(self, events: list[bytes]) -> None:
        if self._bare:
            events.append(b"\n".join(self._bare))
            self._bare = []

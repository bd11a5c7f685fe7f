"""Signatures of thinking: names under which the server keeps the vendors' records of its turns.

A record may hold a vendor's signature or encrypted thinking, and says where it came from. So it
does not leave the server: a client gets a name by chance, and sends it back with the turn. A turn
with calls is known by the id of the first one too, since its thinking may not have been shown.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict

ROOM = 32 << 20
"""Most characters of all records together; the oldest are given up first."""


def new() -> str:
    """Return a new signature."""
    return f"ponder-{secrets.token_urlsafe(24)}"


class Signatures:
    """Records of turns, by signature and by the key of whoever asked."""

    def __init__(self, room: int = ROOM) -> None:
        self._room, self._size = room, 0
        self._kept: OrderedDict[tuple[str, str], str] = OrderedDict()

    def keep(self, key: str, signature: str, record: str) -> None:
        """Keep a turn's record, if it has one."""
        if not record or len(record) > self._room:
            return
        self._size += len(record) - len(self._kept.pop((key, signature), ""))
        self._kept[key, signature] = record
        while self._size > self._room:
            self._size -= len(self._kept.popitem(last=False)[1])

    def record(self, key: str, signature: str) -> str:
        """Return the record of a turn; '' if there is none, or none any more."""
        if (key, signature) not in self._kept:
            return ""
        self._kept.move_to_end((key, signature))
        return self._kept[key, signature]

"""JSON of plain values, written fast."""

from __future__ import annotations

from typing import Any

import msgspec

from ponder.core.text import jsontext


def encode(value: Any) -> bytes:
    """Return a value whose numbers are finite as compact JSON.

    It takes an eighth of the time of ``core.jsontext``, which writes what this cannot: a text with
    half of a character.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return jsontext.dumps(value).encode()

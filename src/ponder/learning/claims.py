"""The request that a working folder is of: the same one goes on in it, another is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.files import read_regular, replaced_json

CHOICE = "choose another --name, or another folder with -o, or delete that one."


def claimed(path: Path, asked: Mapping[str, Any]) -> bool:
    """Write a request, as JSON, into the file of a new folder; True if it was there already.

    Raises:
        UsageError: the file holds another request, or none.
        OSError: the disk refuses.
    """
    if not path.exists():
        replaced_json(path, asked)
        return False
    try:
        held = decode(dict[str, Any], parse(read_regular(path, "the request")), "it")
    except Malformed as error:
        raise UsageError(f"{path} is damaged ({error}): {CHOICE}") from None
    other = [
        _told(name, held.get(name), asked.get(name))
        for name in {**held, **asked}
        if held.get(name) != asked.get(name)
    ]
    if other:
        raise UsageError(
            f"{path.parent} holds another training, with another {' and '.join(other)}: {CHOICE}"
        )
    return True


def _told(name: str, held: Any, asked: Any) -> str:
    """Return the name of a difference, with both values if they are short."""
    short = all(isinstance(value, str | int | float | None) for value in (held, asked))
    return f"{name} ({held} instead of {asked})" if short else name

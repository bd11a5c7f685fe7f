"""Files of a training: each is replaced at once, so that a kill leaves the old one or the new."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ponder.util.files import written_beside


def replaced(path: Path, parts: Iterable[Any]) -> None:
    """Write bytes as the new content of a file.

    Raises:
        OSError: the disk refuses; the old content is there still.
    """
    part = written_beside(path, parts, kept=True)
    try:
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def replaced_json(path: Path, value: Any) -> None:
    """Write a value as JSON.

    Raises:
        OSError: as ``replaced``.
    """
    replaced(path, [(json.dumps(value, indent=2) + "\n").encode()])

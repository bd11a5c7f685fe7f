"""Files of a training: each is replaced at once, so that a kill leaves the old one or the new."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def replaced(path: Path, parts: Iterable[Any]) -> None:
    """Write bytes as the new content of a file.

    Raises:
        OSError: the disk refuses; the old content is there still.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def replaced_json(path: Path, value: Any) -> None:
    """Write a value as JSON.

    Raises:
        OSError: as ``replaced``.
    """
    replaced(path, [(json.dumps(value, indent=2) + "\n").encode()])

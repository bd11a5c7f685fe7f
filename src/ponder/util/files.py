"""Reading of untrusted files: only regular ones, up to a stated size."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ponder.core.errors import UsageError

TEXT_LIMIT = 16 << 20
"""Maximum bytes of a learned verifier, a configuration or a rubric."""


def open_regular(path: Path | str, what: str) -> BinaryIO:
    """Open a file for reading. A pipe or a device is refused, since reading it could block.

    Raises:
        UsageError: the file is absent, not readable or not a regular file.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for a process that writes into it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {what} {path}: {_reason(error)}.") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "Is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"
        raise UsageError(f"cannot read {what} {path}: {kind}.")
    return os.fdopen(handle, "rb")


def existing(name: str) -> Path | None:
    """Return the path of a regular file, or None if there is none."""
    try:
        path = Path(name).expanduser()
        return path if stat.S_ISREG(path.stat().st_mode) else None
    except (
        OSError,
        ValueError,
        RuntimeError,
    ):  # too long, contains a zero byte, or names the home of an unknown user
        return None


def read_regular(path: Path | str, what: str, limit: int = TEXT_LIMIT) -> bytes:
    """Return the content of a file of at most ``limit`` bytes.

    Raises:
        UsageError: as ``open_regular``, or the file is larger.
    """
    with open_regular(path, what) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise UsageError(f"cannot read {what} {path}: {_reason(error)}.") from None
    if len(content) > limit:
        raise UsageError(
            f"cannot read {what} {path}: it has more than {limit >> 20} MiB, which no such file "
            "needs."
        )
    return content


_BINARY = getattr(os, "O_BINARY", 0)  # only on Windows


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)

"""Files: untrusted ones are read only if regular, and up to a stated size; a new one is written
beside the one that it replaces.

Text is UTF-8. A byte-order mark at its beginning is not part of it. Rows of JSON Lines end at a
line feed alone: the other characters at which Python ends lines may stand in JSON's strings.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ponder.core.errors import UsageError

MARK = "\ufeff"
"""The byte-order mark, which some programs write at the beginning of a text."""
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


def text_of(content: bytes, where: object) -> str:
    """Return the text of a file's content.

    Raises:
        UsageError: it is not UTF-8; names ``where`` it is from, and the line.
    """
    try:
        return content.decode("utf-8").removeprefix(MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"cannot read {where}, line {line}: it is not UTF-8 text; save it as UTF-8."
        ) from None


def read_text(path: Path | str, what: str = "") -> str:
    """Return the text of a file that the user names, a pipe included; lines end with line feeds.

    Raises:
        UsageError: it cannot be read, or is not UTF-8 text.
    """
    where = f"{what} {path}".strip()
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {where}: {_reason(error)}.") from None
    return with_line_feeds(text_of(content, where))


def with_line_feeds(text: str) -> str:
    """Return a text of any system with a line feed at the end of each line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def rows(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number, row) of each row of JSON Lines that is not blank."""
    for number, line in enumerate(text.split("\n"), 1):
        if row := line.strip().removeprefix(MARK):
            yield number, row


def raw_rows(file: BinaryIO, path: Path, limit: int) -> Iterator[tuple[int, bytes]]:
    """As ``rows``, of a file that is read row by row, each of at most ``limit`` bytes.

    Raises:
        UsageError: a row is longer.
    """
    for number, line in enumerate(iter(lambda: file.readline(limit + 1), b""), 1):
        if len(line) > limit:
            raise UsageError(
                f"{path}, line {number}: it has more than {limit >> 20} MiB, which no problem "
                "needs."
            )
        if row := line.strip().removeprefix(MARK.encode()):
            yield number, row


def first_character(file: BinaryIO) -> bytes:
    """Return the first character of a file that is no white space, and go back to its beginning."""
    start = file.read(256).removeprefix(MARK.encode()).lstrip()[:1]
    file.seek(0)
    return start


_BINARY = getattr(os, "O_BINARY", 0)  # only on Windows


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def written_beside(path: Path, parts: Iterable[Any], *, kept: bool = False) -> Path:
    """Write bytes to a new file in the folder of ``path``, which may then take its place, and
    return that. Nothing is left if it fails.

    Args:
        path: the file that will be replaced, or made.
        parts: the content.
        kept: True to have the content on the disk before this returns.

    Raises:
        OSError: the disk refuses.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            if kept:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(0o644)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def replaced(path: Path, parts: Iterable[Any], *, kept: bool = False) -> None:
    """Write bytes as the content of a file: a kill leaves the old content or the new.

    Raises:
        OSError: the disk refuses; the old content is there still.
    """
    part = written_beside(path, parts, kept=kept)
    try:
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def replaced_json(path: Path, value: Any) -> None:
    """Write a value as JSON, and have it on the disk before this returns.

    Raises:
        OSError: as ``replaced``.
    """
    replaced(path, [(json.dumps(value, indent=2) + "\n").encode()], kept=True)


def placed(source: Path, output: Path) -> None:
    """Put a file at another path, too: the same file where the disk can, else a copy.

    Raises:
        OSError: the disk refuses.
    """
    part = output.with_name(f"{output.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(output)

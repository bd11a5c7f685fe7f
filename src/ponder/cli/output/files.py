"""Checks output paths before anything is spent, and reports skipped lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ponder.cli.output.terminal import say
from ponder.core.errors import UsageError


def free(path: Path, force: bool, *, inputs: Sequence[Path] = ()) -> None:
    """Refuse to write where that is impossible, not wanted, or would destroy an input.

    Raises:
        UsageError: tells the user what to do instead.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give the name of a file.")
    if path.exists() and any(path.samefile(other) for other in inputs if other.exists()):
        raise UsageError(f"{path} is what is read: give the output another name.")
    if path.exists() and not force:
        raise UsageError(f"{path} exists: choose another name, or say --force.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}.")


def tell_skipped(skipped: Sequence[int], what: str = "line") -> None:
    """Print on stderr the number of broken lines that were skipped, and their line numbers."""
    if skipped:
        s, rest = "s" * (len(skipped) > 1), ", ..." * (len(skipped) > 5)
        shown = ", ".join(map(str, skipped[:5]))
        say(f"skipped {len(skipped)} broken {what}{s}: {shown}{rest}", err=True)

"""What reads hostile bytes, one module per reader: its inputs, and what it may say of them.

A module here has a ``READER``. ``benchmarks/fuzz.py`` runs them for long, ``tests/test_fuzz.py``
for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Reader:
    """One reader, and its limits."""

    inputs: SearchStrategy[bytes]
    """Hostile inputs."""
    read: Callable[[bytes], object]
    """Reads one input as far as Ponder ever does; returns the exit codes of commands, if any."""
    valid: tuple[bytes, ...]
    """Inputs that nothing is wrong with."""
    allowed: tuple[type[Exception], ...]
    """Errors that say what is wrong with an input; any other is a finding."""
    seconds: float = 10.0
    """One input may take so long; many times what the slowest takes, so load does not matter."""
    megabytes: int = 256
    """What the process may grow by."""


NAMES = (
    "reply",
    "stream",
    "journal",
    "store",
    "queue",
    "pool",
    "learned",
    "toml",
    "gguf",
    "lesson",
    "environment",
)
"""The readers, which are modules of this package."""

"""Requests to a sandbox, and its results. Untrusted programs run nowhere else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Ended = Literal["pass", "fail", "error", "timeout", "unsupported"]

WORKERS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""Number of programs run at once: the number of cores available to this process."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run, each per process unless said otherwise.

    Where a sandbox is a single process, ``cpu_seconds`` and ``memory_bytes`` limit all of it.
    """

    cpu_seconds: int = 5
    wall_seconds: float = 20.0
    """Longest duration of the run; generous, so that a busy machine does not decide a verdict."""
    memory_bytes: int = 512 * 2**20
    """Address space."""
    file_bytes: int = 16 * 2**20
    """Largest size of a file."""
    processes: int = 8
    files: int = 64
    """Most open files."""

    def resources(self) -> dict[str, int]:
        """Return the limits by their names in ``resource``."""
        return {
            "CPU": self.cpu_seconds,
            "AS": self.memory_bytes,
            "FSIZE": self.file_bytes,
            "NPROC": self.processes,
            "NOFILE": self.files,
            "MSGQUEUE": 0,
            "SIGPENDING": self.files,
            "CORE": 0,
        }


@dataclass(frozen=True, slots=True)
class Script:
    """Tests of a program, as Python sources.

    A name that the tests do not define is the program's, but never a builtin name:
    ``__program__("sum")`` gives the program's own.
    """

    units: tuple[str, ...]
    """One test each, run in one namespace."""
    setup: str = ""
    """Source that is run first, and is not a test."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one test."""

    verdict: Ended
    """``error`` if an exception other than a failed assertion ended it; ``unsupported`` says
    nothing about the program: the sandbox cannot run such Python.
    """
    error: str = ""
    """Type of that exception."""
    detail: str = ""

    @property
    def passed(self) -> bool:
        """True if the test passed."""
        return self.verdict == "pass"


@dataclass(frozen=True, slots=True)
class Output:
    """The output of a program."""

    verdict: Ended
    """``pass`` if the program ran to its end."""
    text: str = ""
    error: str = ""
    """The end of its traceback, or of what else it wrote to standard error."""


class Sandbox(Protocol):
    """Runs untrusted programs. Any number of calls may run at once, on any event loop."""

    @property
    def name(self) -> str:
        """The confinement, for a person."""
        ...

    @property
    def whole(self) -> bool:
        """True if it runs all of Python; else some right programs are ``unsupported``."""
        ...

    async def test(self, program: Sequence[str], script: Script) -> list[Outcome]:
        """Return one outcome per unit.

        The program's sources run in one namespace, in their order.
        """
        ...

    async def feed(self, program: Sequence[str], inputs: Sequence[str]) -> list[Output]:
        """Run the program once per input, each passed as its standard input."""
        ...

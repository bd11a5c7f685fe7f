"""What a sandbox is asked, and what it says. Untrusted programs are run nowhere else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Ended = Literal["pass", "fail", "error", "timeout", "unsupported"]

WORKERS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""How many programs run at once: as many as there are cores for us."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one run. ``wall_seconds`` is generous, so that a busy machine does not decide a verdict;
    ``cpu_seconds``, ``memory_bytes`` (address space), ``file_bytes`` and ``files`` are per process.
    Where a sandbox is one process, ``cpu_seconds`` and ``memory_bytes`` are all that it may have.
    """

    cpu_seconds: int = 5
    wall_seconds: float = 20.0
    memory_bytes: int = 512 * 2**20
    file_bytes: int = 16 * 2**20
    processes: int = 8
    files: int = 64

    def resources(self) -> dict[str, int]:
        """By their names in ``resource``."""
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
    """Tests of a program, as Python sources. Each unit is a test of its own, in one namespace.

    A name that they do not define themselves is the program's, but never one that is built in:
    ``__program__("sum")`` gives the program's. ``setup`` is run first, and is no test.
    """

    units: tuple[str, ...]
    setup: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ended: ``error`` if by anything but an assertion, whose type is ``error``.

    ``unsupported`` says nothing of the program: the sandbox cannot run such Python.
    """

    verdict: Ended
    error: str = ""
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether it did."""
        return self.verdict == "pass"


@dataclass(frozen=True, slots=True)
class Output:
    """What a program printed. ``verdict`` is ``pass`` if it came to its end."""

    verdict: Ended
    text: str = ""


class Sandbox(Protocol):
    """Runs programs that nobody vouches for. Any number may be asked for at once, on any loop."""

    @property
    def name(self) -> str:
        """What kept the program in, for a person."""
        ...

    @property
    def whole(self) -> bool:
        """Whether it runs all of Python; else some right programs are ``unsupported``."""
        ...

    async def test(self, program: Sequence[str], script: Script) -> list[Outcome]:
        """One outcome per unit. The program's sources are run in one namespace, in their order."""
        ...

    async def feed(self, program: Sequence[str], inputs: Sequence[str]) -> list[Output]:
        """Run the program once per input, which it gets as its standard input."""
        ...

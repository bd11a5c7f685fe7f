"""Runs a model's program and the tests of it in a child process that can do little harm.

The child has an empty environment, a session and an empty folder of its own, no site-packages, and
limits on CPU time, memory, files and processes; its output is thrown away. Beyond that it has what
this machine offers, the first of ``_ways`` that works: no network, no other processes in sight,
every file read-only, as nobody. Where there is no way to take the network away, it is refused.

A verdict is a secret of this one run, on a file descriptor of its own, written after the last test:
printing, ``sys.exit(0)`` and ``os._exit(0)`` do not forge it. What remains: program and tests share
an interpreter, so a program that was written to search it for the secret can find it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ponder.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all tests passed; why (not); and what kept the program in.

    ``why`` is ``passed``, ``timeout``, ``no verdict`` (it ended before its tests did), or the name
    of the exception that it ended with.
    """

    passed: bool
    why: str
    confinement: str


class RunCode(Protocol):
    """Runs Python sources one after the other in one namespace; passed if none raises."""

    async def __call__(self, parts: Sequence[str]) -> Verdict:
        """The verdict. The last part are the tests."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one run. ``wall_seconds`` is generous, so that a busy machine does not decide a verdict;
    ``cpu_seconds``, ``memory_bytes`` (address space) and ``file_bytes`` are per process.
    """

    cpu_seconds: int = 5
    wall_seconds: float = 20.0
    memory_bytes: int = 512 * 2**20
    file_bytes: int = 16 * 2**20
    processes: int = 16
    files: int = 64

    def resources(self) -> dict[str, int]:
        """By their names in ``resource``."""
        return {
            "CPU": self.cpu_seconds,
            "AS": self.memory_bytes,
            "FSIZE": self.file_bytes,
            "NPROC": self.processes,
            "NOFILE": self.files,
            "CORE": 0,
        }


@dataclass(frozen=True, slots=True)
class Way:
    """One way to confine. ``closed``: the child makes files read-only and drops its privileges;
    ``nobody``: it also becomes a user that owns nothing. ``{work}`` is the child's folder.
    """

    name: str
    command: tuple[str, ...] = ()
    closed: bool = False
    nobody: bool = False


_UNSHARE = ("--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
_UNSAFE = Way("limits alone, with network")


def _ways() -> list[Way]:
    """Whatever this machine may have, best first."""
    found: list[Way] = []
    command: tuple[str, ...]
    unshare, bwrap = shutil.which("unshare"), shutil.which("bwrap")
    shut = "no network, own processes, read-only files"
    if unshare and os.geteuid() == 0:
        command = (unshare, "--mount", *_UNSHARE, "--")
        found.append(Way(f"namespaces ({shut}, as nobody)", command, True, True))
    if unshare:
        command = (unshare, "--user", "--map-root-user", "--mount", *_UNSHARE, "--")
        found.append(Way(f"namespaces ({shut})", command, True))
    if bwrap:
        options = "--unshare-all --die-with-parent --cap-drop ALL --ro-bind / / --dev /dev"
        place = ("--proc", "/proc", "--tmpfs", "{work}", "--chdir", "{work}", "--")
        found.append(Way(f"bubblewrap ({shut})", (bwrap, *options.split(), *place)))
    if unshare:
        command = (unshare, "--user", "--map-root-user", *_UNSHARE, "--")
        found.append(Way("namespaces (no network, own processes)", command))
    return found


class Confined:
    """A ``RunCode``. Each call is one fresh process; any number may run at once.

    With ``unsafe``, a machine that cannot take the network away runs programs all the same.
    """

    def __init__(self, limits: Limits | None = None, *, unsafe: bool = False) -> None:
        self.limits = limits or Limits()
        self._unsafe = unsafe
        self._way: Way | None = None

    async def __call__(self, parts: Sequence[str]) -> Verdict:
        """Run the parts.

        Raises:
            UsageError: nothing here can take the network away, and this is not ``unsafe``.
        """
        if self._way is None:
            self._way = await self._choose()
        return await _run(self._way, self.limits, parts)

    async def _choose(self) -> Way:
        if sys.platform == "win32":
            raise UsageError("programs can be graded on Linux and macOS only: use one of them.")
        for way in _ways():
            if (await _run(way, self.limits, _PROBE)).passed:
                return way
        if self._unsafe:
            return _UNSAFE
        raise UsageError(
            "a model's program is run only without network, and neither 'unshare' nor 'bwrap' can "
            "take it away here: install bubblewrap, or allow it with unsafe=True (limits alone)."
        )


_PROBE = (
    "import socket, os",
    "import heapq, decimal, bisect",  # the library must be within reach
    "try:\n"
    "    socket.create_connection(('192.0.2.1', 9), timeout=0.2)\n"
    "except OSError as error:\n"
    "    assert error.errno == 101, error  # unreachable, at once: there is no way out\n"
    "else:\n"
    "    raise AssertionError\n"
    "open('file', 'w').close()",
)
_CHILD = Path(__file__).with_name("confined_child.py")


async def _run(way: Way, limits: Limits, parts: Sequence[str]) -> Verdict:
    secret = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="ponder-", ignore_cleanup_errors=True) as folder:
        _furnish(Path(folder))
        readable, writable = os.pipe()
        os.set_blocking(readable, False)
        request = {
            "secret": secret,
            "channel": writable,
            "parts": list(parts),
            "closed": way.closed,
            # A user that nobody else is, so that limits on processes count this run's alone.
            "uid": 2**20 + secrets.randbelow(2**30) if way.nobody else 0,
            "folder": folder,
            "megabytes": max(1, limits.file_bytes * 4 >> 20),
            "limits": limits.resources(),
        }
        try:
            timely = await _finish(way, folder, request, limits.wall_seconds)
            said = b""
            with contextlib.suppress(BlockingIOError):
                said = os.read(readable, 4096)
        finally:
            os.close(readable)
    text = said.decode("ascii", "replace")
    if hmac.compare_digest(said, secret.encode()):
        return Verdict(True, "passed", way.name)
    if not timely:
        return Verdict(False, "timeout", way.name)
    known = text.isidentifier() and len(text) <= 100
    return Verdict(False, text if known else "no verdict", way.name)


def _furnish(folder: Path) -> None:
    for name in ("python", "work"):
        (folder / name).mkdir()
    folder.chmod(0o755)


def _python() -> tuple[str, ...]:
    """A fresh interpreter that runs the child, isolated from the user's settings and packages."""
    interpreter = os.path.realpath(sys.executable)
    child = _CHILD.read_text(encoding="utf-8")
    return (interpreter, "-I", "-S", "-B", "-X", "utf8", "-c", child)


async def _finish(way: Way, folder: str, request: dict[str, Any], seconds: float) -> bool:
    """Run the child to its end, and whatever it has started; False if it was out of time."""
    work = f"{folder}/work"
    command = (*(part.replace("{work}", work) for part in way.command), *_python())
    channel = request["channel"]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(channel,),
            cwd=work,
            env={"HOME": work, "TMPDIR": work, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
    finally:
        os.close(channel)
    try:
        async with asyncio.timeout(seconds):
            await process.communicate(json.dumps(request).encode())
    except TimeoutError:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return True

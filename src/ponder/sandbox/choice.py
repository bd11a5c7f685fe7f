"""Chooses the sandbox for untrusted programs, or refuses to run them.

==============  ====================================================================================
sandbox         requires
==============  ====================================================================================
``bubblewrap``  Linux, Debian's package ``bubblewrap``; runs all of Python
``monty``       ``pip install 'ponder[sandbox]'``; runs a part of Python
``unconfined``  the caller's consent to unsafe execution; sets limits and nothing else
==============  ====================================================================================

The first that works is taken. If none does, nothing is run: ``docs/sandbox.md``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import threading
import warnings
import weakref

from ponder.core.errors import UsageError
from ponder.sandbox.base import Limits, Sandbox, Script
from ponder.sandbox.bubblewrap import bubblewrap
from ponder.sandbox.monty import Monty, monty
from ponder.sandbox.pool import Pool
from ponder.sandbox.process import Started, python

HOW = "install Debian's package bubblewrap"
WARNING = (
    "UNSAFE: programs that a model wrote run here without a sandbox, as {user}, with the network "
    "and every file that {user} may touch."
)
_PROBE = Script(
    (
        "try:\n"
        "    open('/usr/ponder-probe', 'w')\n"
        "except OSError:\n"
        "    assert reach(('192.0.2.1', 9)) == 97  # there are no sockets: there is no way out\n"
        "else:\n"
        "    assert False",
    )
)
_PROBED = (
    "import heapq, decimal, socket",  # the library must be reachable
    "def reach(address):\n"
    "    try:\n"
    "        socket.create_connection(address, timeout=0.2)\n"
    "    except OSError as error:\n"
    "        return error.errno",
)


class Sandboxes:
    """The sandboxes of one owner: equal requests share one, and all of them end with it.

    With ``unsafe``, programs run without a sandbox, under limits alone, if no sandbox works.
    """

    def __init__(self, *, unsafe: bool = False) -> None:
        self.unsafe = unsafe
        self._found: dict[tuple[Limits, bool, tuple[str, ...]], Pool | Monty] = {}
        self._finding = threading.Lock()

    def find(
        self,
        limits: Limits | None = None,
        *,
        whole: bool = False,
        libraries: tuple[str, ...] = (),
    ) -> Sandbox:
        """Return the sandbox for these arguments (see ``find``), created once. Thread-safe."""
        wish = limits or Limits(), whole, libraries
        with self._finding:
            if wish not in self._found:
                self._found[wish] = find(
                    wish[0], whole=whole, unsafe=self.unsafe, libraries=libraries
                )
            return self._found[wish]

    def close(self) -> None:
        """End all of them, and wait until their threads and processes are gone."""
        with self._finding:
            while self._found:
                self._found.popitem()[1].end()


def find(
    limits: Limits | None = None,
    *,
    whole: bool = False,
    unsafe: bool = False,
    libraries: tuple[str, ...] = (),
) -> Pool | Monty:
    """Create the best sandbox of this machine. Blocking: about 0.1 s.

    ``whole``: it must run all of Python. ``libraries``: folders that programs may read, beside the
    standard library. ``unsafe``: if no sandbox works, run programs under limits alone.

    Raises:
        UsageError: no sandbox works, and ``unsafe`` is not set; says how to get one.
    """
    limits = limits or Limits()
    with contextlib.suppress(OSError):
        return confined(limits, libraries)
    if not whole:
        with contextlib.suppress(ImportError, OSError):
            return monty(limits)
    if unsafe:
        warnings.warn(WARNING.format(user=_user()), RuntimeWarning, stacklevel=2)
        return unconfined(limits)
    less = "" if whole else ", or pip install 'ponder[sandbox]' for a part of Python"
    raise UsageError(
        "a model's program runs only in a sandbox, and none works here: "
        f"{HOW}{less} (docs/sandbox.md), or say --unsafe-execution."
    )


def confined(limits: Limits, libraries: tuple[str, ...] = ()) -> Pool:
    """Return ``bubblewrap``, after trying it.

    Raises:
        OSError: it is not installed, or does not confine here.
    """
    made = bubblewrap(limits, libraries)
    [outcome] = made.test_now(_PROBED, _PROBE)
    if not outcome.passed:
        made.close()
        raise OSError(f"bubblewrap does not work here: {outcome.detail or outcome.verdict}")
    return made


def unconfined(limits: Limits) -> Pool:
    """Return no sandbox at all: a folder, an empty environment and limits. Used only on request.

    Raises:
        UsageError: this system cannot limit processes either.
    """
    if sys.platform == "win32":
        raise UsageError("programs can be run on Linux and macOS only: use one of them.")
    folder = tempfile.mkdtemp(prefix="ponder-unsafe-")
    work = {"HOME": folder, "TMPDIR": folder}
    pool = Pool(
        "nothing: limits alone, with network (unsafe)",
        lambda: Started(python(), cwd=folder, env=work),
        limits,
        nobody=False,
    )
    weakref.finalize(pool, shutil.rmtree, folder, ignore_errors=True)
    return pool


def _user() -> str:
    return "root" if os.geteuid() == 0 else "you"

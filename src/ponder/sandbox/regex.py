"""A regular expression on hostile text, in a process that can be killed.

A pattern may take exponentially long on a text written for it, and ``re`` holds the interpreter's
lock meanwhile, so it runs in a child. The child runs nothing but ``re``, under limits of time and
memory, and ends when its caller stops waiting.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Sequence

from ponder.util.threads import in_thread

SECONDS = 10.0
"""Time for all texts given to one child; generous, so that a busy machine decides nothing."""
MEMORY_BYTES = 512 * 2**20
_CHILD = (
    "import json, re, sys, warnings\n"
    "try:\n"
    "    import resource\n"
    f"    resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES},) * 2)\n"
    "except ImportError: pass\n"
    "warnings.simplefilter('ignore')\n"
    "pattern, *texts = json.load(sys.stdin)\n"
    "search = re.compile(pattern).search\n"
    "for text in texts: print(int(search(text) is not None), flush=True)\n"
)


async def search(pattern: str, texts: Sequence[str], seconds: float = SECONDS) -> list[bool | None]:
    """Return True where the pattern is found; None where that took too much time or memory.

    If cancelled, it kills the child.
    """
    asking = _Asking(pattern, seconds)
    try:
        return await in_thread(asking.search, texts)
    except asyncio.CancelledError:
        asking.stop()
        raise


class _Asking:
    """One search of several texts.

    A text that kills a child gives None, and a new child goes on.
    """

    def __init__(self, pattern: str, seconds: float) -> None:
        self._pattern, self._seconds = pattern, seconds
        self._stopped = False
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Kill the working child, and start no other."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def search(self, texts: Sequence[str]) -> list[bool | None]:
        """Return one verdict per text."""
        found: list[bool | None] = []
        while len(found) < len(texts) and not self._stopped:
            found += [line == b"1" for line in self._ask(texts[len(found) :]).split()]
            if len(found) < len(texts):
                found.append(None)
        return found

    def _ask(self, texts: Sequence[str]) -> bytes:
        request = json.dumps([self._pattern, *texts]).encode()
        with self._lock:
            if self._stopped:
                return b""
            self._child = subprocess.Popen(
                (sys.executable, "-I", "-S", "-c", _CHILD),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        with self._child as child:
            try:
                return child.communicate(request, self._seconds)[0]
            except subprocess.TimeoutExpired:
                child.kill()
                return child.communicate()[0]

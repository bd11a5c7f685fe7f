"""The child of a worker: runs sympy, or a JSON Schema, on texts that may be hostile.

``python -m ponder.answers.child KIND`` reads one JSON line per request and writes one per reply.
"""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import sys
from collections.abc import Callable
from typing import IO

from ponder.answers.worker import Reply

MEMORY_BYTES = {"math": 2 * 2**30, "schema": 512 * 2**20}
"""Address space of a child, by what it works on."""
_LONGEST_REPLY = 1_000
"""Longest key, in characters; a longer one is replaced by its digest."""


def _limit_memory(most: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_cpu(seconds: float) -> None:
    """End this process after that much more CPU time, by a signal; 0 is no limit."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _operations(kind: str) -> dict[str, Callable[..., Reply]]:
    if kind == "schema":
        from ponder.answers import schemas

        return {"checked": schemas.checked, "satisfying": schemas.satisfying}
    from ponder.answers import symbolic

    return {"key": symbolic.key, "same": symbolic.same}


def _serve(kind: str, requests: IO[str], replies: IO[str]) -> None:
    _limit_memory(MEMORY_BYTES[kind])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    logging.disable()
    operations = _operations(kind)
    print("ready", file=replies, flush=True)
    for line in requests:
        seconds, operation, *texts = json.loads(line)
        _limit_cpu(seconds)
        try:
            reply = operations[operation](*texts)
        except Exception:  # any text may break any parser; the caller falls back to the notation
            reply = None
        _limit_cpu(0)
        if isinstance(reply, str) and len(reply) > _LONGEST_REPLY:
            digest = hashlib.sha256(reply.encode("utf-8", "surrogatepass")).hexdigest()
            reply = f"{'q' if reply.startswith('q:') else 'o'}:{digest}"  # still a number
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    channel, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the lines
    _serve(sys.argv[1], sys.stdin, channel)

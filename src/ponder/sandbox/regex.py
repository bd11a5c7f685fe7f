"""A regular expression on hostile text, in a process that can be stopped.

A pattern may take exponentially long on a text that was made for it, and ``re`` holds the
interpreter's lock meanwhile, so it is tried in a child. That child runs nothing but ``re``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

SECONDS = 10.0
"""For all texts that one child is given: generous, so that a busy machine decides nothing."""
_CHILD = (
    "import json, re, sys\n"
    "pattern, *texts = json.load(sys.stdin)\n"
    "search = re.compile(pattern).search\n"
    "for text in texts: print(int(search(text) is not None), flush=True)\n"
)


def search(pattern: str, texts: Sequence[str], seconds: float = SECONDS) -> list[bool | None]:
    """Whether the pattern is found in each text; None where that took more than ``seconds``."""
    found: list[bool | None] = []
    while len(found) < len(texts):
        said, late = _ask(pattern, texts[len(found) :], seconds)
        found += [line == b"1" for line in said.split()]
        if len(found) < len(texts):
            found.append(None)
        if not late and not said:
            break
    return found + [None] * (len(texts) - len(found))


def _ask(pattern: str, texts: Sequence[str], seconds: float) -> tuple[bytes, bool]:
    request = json.dumps([pattern, *texts]).encode()
    command = (sys.executable, "-I", "-S", "-c", _CHILD)
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as expired:
        return expired.stdout or b"", True
    return done.stdout, False

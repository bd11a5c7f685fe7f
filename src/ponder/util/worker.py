"""Identity of a process, as written into files that outlive it."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path


def this_one() -> str:
    """Return the identity of this process: its number and its machine."""
    return f"{os.getpid()}@{platform.node()}"


def number(worker: str) -> str:
    """Return the process's number, as the system's tools show it."""
    return worker.partition("@")[0]


def gone(worker: str) -> bool:
    """True if a process has ended, or belongs to another machine, such as a former container."""
    pid, _, host = worker.partition("@")
    if host != platform.node() or sys.platform == "win32":  # where signal 0 is Ctrl-C
        return True
    if not re.fullmatch(r"[1-9][0-9]{0,9}", pid):  # 0 and -1 would address many
        return True
    try:
        os.kill(int(pid), 0)
        return _defunct(pid)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # another user's process
        return False


def _defunct(pid: str) -> bool:
    """True if it has ended but was not reaped, which some containers never do."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # no /proc on this system
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"

"""Which process works on something, as it is written into files that outlive processes."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path


def this_one() -> str:
    """This process: its number and its machine."""
    return f"{os.getpid()}@{platform.node()}"


def number(worker: str) -> str:
    """The process's number, as the machine's tools show it."""
    return worker.partition("@")[0]


def gone(worker: str) -> bool:
    """Whether a process has ended, or is of another machine, such as a container of the past."""
    pid, _, host = worker.partition("@")
    if host != platform.node() or sys.platform == "win32":  # where signal 0 is Ctrl-C
        return True
    if not re.fullmatch(r"[1-9][0-9]{0,9}", pid):  # 0 and -1 would mean many
        return True
    try:
        os.kill(int(pid), 0)
        return _defunct(pid)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # somebody else's process
        return False


def _defunct(pid: str) -> bool:
    """Whether it has ended and nobody has taken note yet, which some containers never do."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # no such thing on this system
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"

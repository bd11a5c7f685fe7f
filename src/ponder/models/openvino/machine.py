"""The resources of this machine that a process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")
_FALLBACK = 4 << 30  # bytes, if the system does not report them


def usable_cores() -> int:
    """Return the number of physical cores within this process's affinity and control
    group's quota.
    """
    if hasattr(os, "sched_getaffinity"):
        cpus = os.sched_getaffinity(0)
        cores = len({_text(_CPUS / f"cpu{n}/topology/thread_siblings_list") or n for n in cpus})
    else:
        cores = os.cpu_count() or 1
    quota, _, period = _text(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def free_memory() -> int:
    """Return the bytes that are available now, within the control group's limit."""
    free = _FALLBACK
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    limit, used = _text(_CGROUP / "memory.max"), _text(_CGROUP / "memory.current")
    if limit.isdigit() and used.isdigit():
        free = min(free, max(0, int(limit) - int(used)))
    return free


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

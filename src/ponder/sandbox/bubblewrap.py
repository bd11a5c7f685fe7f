"""Debian's ``bubblewrap``: all of Python in namespaces of its own, one sandbox per verdict.

No network, no other processes, no home: of the machine there is the system's and the interpreter's
library, read-only, four devices and a small private folder. Limits bound what a process may take,
``seccomp`` which system calls it may make. Where we are root, program and tests are two
users who are nobody; elsewhere they are we ourselves, without a way to reach anything that is ours.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from ponder.sandbox import seccomp
from ponder.sandbox.base import Limits
from ponder.sandbox.pool import Pool
from ponder.sandbox.process import Started, python

NAME = "bubblewrap"
LENT = "/lent"
"""The folder in which programs find the packages that are lent to them. It is not where they are
outside, which may be below a folder of the sandbox's own, such as /tmp.
"""
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/nix/store")
_DEVICES = ("null", "zero", "random", "urandom")


def bubblewrap(limits: Limits, libraries: tuple[str, ...] = ()) -> Pool:
    """Return the sandbox, untested. ``libraries`` are packages that programs may read in ``LENT``.

    Raises:
        FileNotFoundError: there is no ``bwrap``, or no filter for this kind of machine.
    """
    binary, rules = shutil.which("bwrap"), seccomp.program()
    if binary is None or rules is None:
        raise FileNotFoundError("bwrap")
    root = os.geteuid() == 0
    inner = (*_options(limits, libraries, root=root), "--", *python())

    def start() -> Started:
        with tempfile.TemporaryFile() as file:
            file.write(rules)
            file.seek(0)
            command = (binary, "--seccomp", str(file.fileno()), *inner)
            return Started(command, file.fileno(), nested=True, env={})

    return Pool(NAME, start, limits, nobody=root)


def _options(limits: Limits, libraries: tuple[str, ...], *, root: bool) -> list[str]:
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--as-pid-1"]
    options += ["--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox"]
    if root:  # capabilities to become nobody, and to kill nobody's processes
        for capability in ("SETUID", "SETGID", "KILL"):
            options += ["--cap-add", f"CAP_{capability}"]
    else:
        options += ["--unshare-user", "--disable-userns"]
    for path in _SYSTEM:
        options += _seen(Path(path))
    for library in libraries:
        options += ["--perms", "0755", "--dir", LENT]
        options += ["--ro-bind", str(Path(library).resolve()), f"{LENT}/{Path(library).name}"]
    for folder in (sys.base_prefix, sysconfig.get_path("stdlib")):
        if not Path(folder).is_relative_to("/usr"):
            options += _folder(Path(folder).resolve())
    for device in _DEVICES:
        options += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    size = str(4 * limits.file_bytes)
    options += ["--perms", "1777", "--size", size, "--tmpfs", "/tmp", "--chdir", "/tmp"]
    options += ["--remount-ro", "/", "--clearenv"]
    for name, value in (("HOME", "/tmp"), ("TMPDIR", "/tmp"), ("LC_ALL", "C.UTF-8")):
        options += ["--setenv", name, value]
    return options


def _seen(path: Path) -> list[str]:
    if path.is_symlink():
        return ["--symlink", os.readlink(path), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.exists() else []


def _folder(path: Path) -> list[str]:
    """Return arguments that mount the folder, reachable by any user, without its neighbours."""
    above = [p for p in reversed(path.parents) if p != Path("/")]
    opened = [part for p in above for part in ("--perms", "0755", "--dir", str(p))]
    return [*opened, "--ro-bind", str(path), str(path)]

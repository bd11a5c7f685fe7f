"""The far side of ``confined``: limits itself, runs the sources it is given, says if all passed.

Sent to a fresh interpreter as its ``-c``: the standard library only, no import of Ponder. What it
reads on standard input is gone before any of the sources runs. The secret is written to a file
descriptor of its own, and only after the last source has ended without raising.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
import types
from typing import Any

_MS_BIND, _MS_REC, _MS_PRIVATE, _NOSUID_NODEV = 0x1000, 0x4000, 0x40000, 0x6
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _RDONLY = 442, -100, 0x8000, 1
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_CAPABILITY_VERSION = 0x20080522


def _checked(outcome: int) -> None:
    if outcome != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _close_files(folder: str, uid: int, megabytes: int) -> None:
    """Every file read-only, but for a small file system of our own, where we then are.

    Needs a mount namespace of our own. With a ``uid``, who is nobody, the interpreter's library
    stays readable, wherever it is.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
        words = [w.encode() if w is not None else None for w in (source, target, kind)]
        _checked(libc.mount(*words, ctypes.c_ulong(flags), data.encode()))

    mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    if uid:
        library = f"{folder}/python"
        mount(sys.base_prefix, library, None, _MS_BIND | _MS_REC)
        packages = [m.__path__ for m in sys.modules.values() if hasattr(m, "__path__")]
        for paths in (sys.path, *packages):
            paths[:] = [path.replace(sys.base_prefix, library, 1) for path in paths]
    attributes = struct.pack("QQQQ", _RDONLY, 0, 0, 0)
    _checked(
        libc.syscall(
            ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), b"/",
            ctypes.c_uint(_AT_RECURSIVE), attributes, ctypes.c_size_t(len(attributes)),
        )
    )  # fmt: skip
    data = f"size={megabytes}m,mode=777"
    mount("tmpfs", f"{folder}/work", "tmpfs", _NOSUID_NODEV, data)
    os.chdir(f"{folder}/work")


def _drop_privileges(uid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break  # beyond the last one that this kernel knows
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    _checked(libc.capset(header, bytes(24)))
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _limit(limits: dict[str, int]) -> None:
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        last = most + 1 if name == "CPU" and most != hard else most  # a second to say so
        resource.setrlimit(kind, (most, last))


def _main() -> None:
    request: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    channel: int = request["channel"]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if request["closed"]:
        _close_files(request["folder"], request["uid"], request["megabytes"])
        _drop_privileges(request["uid"])
    _limit(request["limits"])
    secret: bytes = request["secret"].encode()
    module = types.ModuleType("solution")
    # Held here, where the program's own names cannot shadow them.
    run, write, leave, build = exec, os.write, os._exit, compile
    sys.modules["solution"] = module

    def out_of_time(number: int, frame: object) -> None:
        write(channel, b"timeout")
        leave(1)

    signal.signal(signal.SIGXCPU, out_of_time)
    parts: list[str] = request["parts"]
    del request
    try:
        ready = [build(text, f"<{i}>", "exec", dont_inherit=True) for i, text in enumerate(parts)]
        del parts
        for code in ready:
            run(code, module.__dict__)
    except BaseException as error:
        write(channel, f"{type(error).__name__}"[:100].encode())
        leave(1)
    write(channel, secret)
    leave(0)


if __name__ == "__main__":
    _main()

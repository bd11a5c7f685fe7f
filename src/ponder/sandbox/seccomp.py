"""System calls that no program in a sandbox needs, refused by the kernel (seccomp-bpf).

The filter closes gaps of namespaces and limits: tracing, reading and limiting other processes,
namespaces and mounts of its own, keyrings that outlive a run, memory that no limit of a process
counts (System V's and POSIX's shared memory, queues and semaphores, memory files, pages given to
pipes, descriptors in flight, watches of files), and sockets. Socket pairs are allowed, since
``asyncio`` needs one to start.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Machine:
    """Numbers of system calls."""

    arch: int
    refused: tuple[int, ...]
    clone: int
    socket: int
    socketpair: int
    prlimit: int


_X86_64 = _Machine(
    arch=0xC000003E,
    refused=(
        101, 155, 165, 166, 246, 248, 249, 250, 272, 298, 303, 304, 308, 310, 311, 312, 321, 323,
        29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241, 242, 243, 244, 245,
        319, 278, 275, 276, 46, 307, 54, 253, 294, 300, 256, 279,
    ),
    clone=56, socket=41, socketpair=53, prlimit=302,
)  # fmt: skip
_AARCH64 = _Machine(
    arch=0xC00000B7,
    refused=(
        39, 40, 41, 97, 104, 117, 217, 218, 219, 241, 264, 265, 268, 270, 271, 272, 280, 282,
        186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 180, 181, 182, 183, 184, 185,
        279, 75, 76, 77, 211, 269, 208, 26, 262, 238, 239,
    ),
    clone=220, socket=198, socketpair=199, prlimit=261,
)  # fmt: skip
# In the first row: ptrace, pivot_root, mount, umount2, kexec_load, add_key, request_key, keyctl,
# unshare, perf_event_open, name_to_handle_at, open_by_handle_at, setns, process_vm_readv and
# _writev, kcmp, bpf, userfaultfd. In the second: shmget, shmat, shmctl, shmdt, the four of sem and
# of msg, and the six of mq. In the third: memfd_create, vmsplice, splice, tee, sendmsg, sendmmsg,
# setsockopt (sizes of buffers), inotify_init and _init1, fanotify_init, migrate_pages, move_pages.
# Those of one number everywhere: io_uring_setup, _enter and _register, open_tree, move_mount,
# fsopen, fsconfig, fsmount, fspick, pidfd_getfd, process_madvise, mount_setattr, memfd_secret.
_REFUSED = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442, 447)
_CLONE3 = 435  # hides its flags from a filter; without it, the library takes clone
_NEW_NAMESPACES = 0x7E020000
_AF_UNIX = 1
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST = 0, 4, 16  # offsets in what the kernel shows a filter
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def program() -> bytes | None:
    """Return the filter for this machine, in the kernel's format.

    None for unknown architectures.
    """
    tables = {"x86_64": _X86_64, "AMD64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}
    table = tables.get(platform.machine())
    if table is None or struct.calcsize("P") != 8:
        return None
    lines = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, table.arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, 0x40000000),  # x32, which has other numbers
        (_RETURN, 0, 0, _KILL),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
    ]
    *most, last = (*table.refused, *_REFUSED)
    lines += [(_EQUAL, len(most) - i, 0, number) for i, number in enumerate(most)]
    lines += [(_EQUAL, 0, 1, last), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    lines += [
        (_EQUAL, 0, 1, table.socket),
        (_RETURN, 0, 0, _ERRNO | _EAFNOSUPPORT),
        *_unless(table.clone, (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _EPERM),
        *_unless(table.prlimit, (_EQUAL, 1, 0, 0), _EPERM),  # of another process
        *_unless(table.socketpair, (_EQUAL, 1, 0, _AF_UNIX), _EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _unless(
    number: int, test: tuple[int, int, int, int], errno: int
) -> list[tuple[int, int, int, int]]:
    """Refuse a call unless its first argument passes a test, which then skips the refusal."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _FIRST),
        test,
        (_RETURN, 0, 0, _ERRNO | errno),
        (_RETURN, 0, 0, _ALLOW),
    ]

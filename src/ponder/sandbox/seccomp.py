"""System calls that no program in a sandbox has a use for, refused by the kernel (seccomp-bpf).

It closes what namespaces and limits leave open: tracing and reading other processes, namespaces
and mounts of its own (and with them memory beyond its limits), keyrings that outlive a run, and
sockets of families that a network namespace does not confine, such as that to a hypervisor.
"""

from __future__ import annotations

import platform
import struct

_X86_64 = {
    "refused": (
        101, 155, 165, 166, 246, 248, 249, 250, 272, 298, 303, 304, 308, 310, 311, 312, 321, 323,
    ),
    "socket": 41, "clone": 56, "arch": 0xC000003E,
}  # fmt: skip
_AARCH64 = {
    "refused": (
        39, 40, 41, 97, 104, 117, 217, 218, 219, 241, 264, 265, 268, 270, 271, 272, 280, 282,
    ),
    "socket": 198, "clone": 220, "arch": 0xC00000B7,
}  # fmt: skip
# ptrace, pivot_root, mount, umount2, kexec_load, add_key, request_key, keyctl, unshare,
# perf_event_open, name_to_handle_at, open_by_handle_at, setns, process_vm_readv and _writev, kcmp,
# bpf, userfaultfd; and those of one number everywhere: io_uring_setup, _enter and _register,
# open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, pidfd_getfd, mount_setattr.
_REFUSED = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442)
_CLONE3 = 435  # hides its flags from a filter; without it, the library takes clone
_NEW_NAMESPACES = 0x7E020000
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6, all three confined to the network namespace
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST = 0, 4, 16  # offsets in what the kernel shows a filter
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def program() -> bytes | None:
    """The filter for this machine, as the kernel wants it; None where its calls are not known."""
    tables = {"x86_64": _X86_64, "AMD64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}
    table = tables.get(platform.machine())
    if table is None or struct.calcsize("P") != 8:
        return None
    refused, socket, clone, arch = (table[name] for name in ("refused", "socket", "clone", "arch"))
    assert isinstance(refused, tuple)
    lines = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, 0x40000000),  # x32, whose numbers are others
        (_RETURN, 0, 0, _KILL),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
    ]
    for number in (*refused, *_REFUSED):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    lines += [
        (_EQUAL, 0, 4, clone),
        (_LOAD, 0, 0, _FIRST),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 1, 0, socket),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST),
        *((_EQUAL, len(_FAMILIES) - i, 0, family) for i, family in enumerate(_FAMILIES)),
        (_RETURN, 0, 0, _ERRNO | _EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)

"""Memory that the greediest program of each kind takes from the machine, in ``bubblewrap``.

    python benchmarks/sandbox_memory.py [--rounds 3]

Each program takes all that it can get of one kind and holds it for a second; 'refused' if it got
none. The figure is by how much the memory that is available on this machine fell meanwhile
(``MemAvailable``, which shared memory, tables of pages and buffers of the kernel take away from
too): the median over the rounds. Other work on the machine shows in it. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics

from ponder.sandbox.base import Limits, Sandbox, Script
from ponder.sandbox.choice import confined

_START = """
import ctypes, os, socket, struct, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.shmat.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
MIB, PRIVATE, SHARED, ANYWHERE = 2**20, 34, 33, 0
FAILED = 2**64 - 1
kept = []
def mapped(size, kind=PRIVATE, where=0):
    at = libc.mmap(where or None, size, 3, kind, -1, 0)
    if at == FAILED: raise MemoryError
    return at
def filled(at, size): ctypes.memset(at, 1, size)
taken = 0
def until_refused(work):
    global taken
    try:
        for n in range(10**9):
            work(n)
            taken += 1
    except (OSError, MemoryError): pass
def everywhere(work):
    ended, end = os.pipe()
    def again(n):
        child = os.fork()
        if child: kept.append(child)
        else:
            try: work()
            finally:
                os.write(end, b"x")
                time.sleep(60)
    until_refused(again)
    wanted = len(kept)
    work()
    for _ in range(wanted): os.read(ended, 1)
"""
_HOLD = """
def hold():
    take()
    if taken: time.sleep(1)
    return f"{taken} times in its first process" if taken else "refused"
"""
PROGRAMS = {
    "memory of one process": """
def take():
    until_refused(lambda n: filled(mapped(MIB), MIB))
""",
    "memory of all processes": """
def own(): until_refused(lambda n: filled(mapped(MIB), MIB))
def take(): everywhere(own)
""",
    "shared memory of all processes": """
def own(): until_refused(lambda n: filled(mapped(MIB, SHARED), MIB))
def take(): everywhere(own)
""",
    "tables of pages, one process": """
def take():
    until_refused(lambda n: filled(mapped(4096, PRIVATE, 2**32 + n * 2**30), 4096))
""",
    "tables of pages, all processes": """
def own(): until_refused(lambda n: filled(mapped(4096, PRIVATE, 2**32 + n * 2**30), 4096))
def take(): everywhere(own)
""",
    "System V shared memory": """
def one(n):
    number = libc.shmget(0, 64 * MIB, 0o1600)
    if number < 0: raise MemoryError
    at = libc.shmat(number, None, 0)
    filled(at, 64 * MIB)
    libc.shmdt(ctypes.c_void_p(at))
    if n == 23: raise MemoryError
def take(): until_refused(one)
""",
    "System V message queues": """
def one(n):
    number = libc.msgget(0, 0o1600)
    if number < 0 or n == 4096: raise MemoryError
    while libc.msgsnd(number, struct.pack("q", 1) + bytes(8000), 8000, 0o4000) == 0: pass
def take(): until_refused(one)
""",
    "System V semaphores": """
def one(n):
    if libc.semget(0, 32000, 0o1600) < 0 or n == 4096: raise MemoryError
def take(): until_refused(one)
""",
    "POSIX message queues": """
def one(n):
    if libc.mq_open(b"/q%d" % n, 0o102, 0o600, None) < 0: raise MemoryError
def take(): until_refused(one)
""",
    "memory files": """
def one(n):
    file = os.memfd_create("m")
    kept.append(file)
    for _ in range(16): os.write(file, bytes(MIB))
def take(): until_refused(one)
""",
    "private folder": """
def one(n):
    with open(f"/tmp/{n}", "wb") as file: file.write(bytes(MIB))
def take(): until_refused(one)
""",
    "private folder, empty files": """
def own():
    name = os.getpid()
    until_refused(lambda n: os.mkdir(f"/tmp/{name}-{n}"))
def take(): everywhere(own)
""",
    "pipes of all processes": """
import fcntl
def one(n):
    ends = os.pipe()
    os.set_blocking(ends[1], False)
    try: fcntl.fcntl(ends[1], 1031, MIB)
    except OSError: pass
    try:
        while True: os.write(ends[1], bytes(65536))
    except BlockingIOError: pass
def take(): everywhere(lambda: until_refused(one))
""",
    "pages given to pipes": """
class Part(ctypes.Structure): _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
def one(n):
    _, end = os.pipe()
    at = mapped(4 * MIB)
    filled(at, 4 * MIB)
    part = Part(at, 65536)
    if libc.vmsplice(end, ctypes.byref(part), 1, 2) < 0: raise MemoryError
    libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(4 * MIB))
def take(): until_refused(one)
""",
    "pairs of sockets, all processes": """
def one(n):
    for end in socket.socketpair():
        kept.append(end)
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**30)
        try:
            while True: end.send(bytes(32768))
        except BlockingIOError: pass
def take(): everywhere(lambda: until_refused(one))
""",
    "sockets that nobody accepts": """
def take():
    def one(n):
        server = socket.socket(socket.AF_UNIX)
        kept.append(server)
        server.bind("")
        server.listen(4096)
        for _ in range(4096):
            with socket.socket(socket.AF_UNIX) as end:
                end.connect(server.getsockname())
                end.setblocking(False)
                try:
                    while True: end.send(bytes(32768))
                except BlockingIOError: pass
    until_refused(one)
""",
    "descriptors in flight": """
def take():
    def one(n):
        a, b = socket.socketpair()
        kept.append((a, b))
        b.setblocking(False)
        try:
            while True: b.send(bytes(32768))
        except BlockingIOError: pass
        c, d = socket.socketpair()
        socket.send_fds(c, [b"x"], [a.fileno(), d.fileno()])
        for end in (a, b, c, d): end.close()
    until_refused(one)
""",
    "watches of files": """
def one(n):
    watch = libc.inotify_init1(0)
    if watch < 0: raise MemoryError
    libc.inotify_add_watch(watch, b"/tmp", 0xFFF)
    for _ in range(20000): os.close(os.open("/tmp/x", os.O_CREAT | os.O_WRONLY))
def take(): until_refused(one)
""",
}  # fmt: skip


_TESTS = ("assert False, hold()",)  # how often is the message of the failure


def available() -> int:
    """Bytes that are available on this machine."""
    with open("/proc/meminfo") as file:
        [line] = [line for line in file if line.startswith("MemAvailable:")]
    return int(line.split()[1]) * 1024


async def taken(where: Sandbox, program: str) -> tuple[int, str]:
    """By how much available memory fell while the program ran, at most; and how often."""
    before = least = available()
    run = asyncio.ensure_future(where.test([_START + program + _HOLD], Script(_TESTS)))
    while not run.done():
        await asyncio.wait([run], timeout=0.02)
        least = min(least, available())
    [outcome] = run.result()
    return before - least, outcome.detail


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="kinds whose name begins so")
    given = parser.parse_args()
    limits = Limits()
    print(f"{platform.machine()}, Linux {platform.release()}, {limits}")
    where = confined(limits)
    for name, program in PROGRAMS.items():
        if not name.startswith(given.only):
            continue
        runs = [asyncio.run(taken(where, program)) for _ in range(given.rounds)]
        mib = statistics.median(size for size, _ in runs) / 2**20
        print(f"{name:36} {mib:7.0f} MiB ({', '.join(sorted({word for _, word in runs}))})")


if __name__ == "__main__":
    main()

"""A lock between processes. The operating system releases it when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of the file ``path``, which is created if it is absent.

    ``on_wait`` is called once if another process holds it.
    """
    with path.open("ab") as file:
        lock = _locker(file.fileno())
        if not lock(False):
            on_wait()
            while not lock(True):
                pass
        yield


def _locker(descriptor: int) -> Callable[[bool], bool]:
    """Return a function that locks the file, and waits for it if the argument is True.

    It returns False if the lock is taken.
    """
    if sys.platform == "win32":
        import msvcrt

        def lock(wait: bool) -> None:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        def lock(wait: bool) -> None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    def attempt(wait: bool) -> bool:
        try:
            lock(wait)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise
            return False
        return True

    return attempt

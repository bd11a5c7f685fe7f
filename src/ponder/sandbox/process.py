"""A supervisor in a fresh process, and the exchange of one order with it.

Blocking, so for a thread: a process of asyncio's belongs to one event loop, and ``asyncio.run``
makes a new one at each call.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

_PATIENCE = 10.0
_MODULES = ("wire", "peers", "child")


@lru_cache(1)
def python() -> tuple[str, ...]:
    """Return the command of a fresh interpreter that runs the supervisor.

    It is isolated from the user's settings and packages. It gets compiled code, which is faster
    than sources and needs no file of ours in the sandbox.
    """
    here = Path(__file__).parent
    codes = []
    for module in _MODULES:
        text = (here / f"{module}.py").read_text(encoding="utf-8")
        name = f"ponder.sandbox.{module}"
        codes.append((name, compile(text, module, "exec", dont_inherit=True, optimize=2)))
    begin = (
        "import marshal, sys, types\n"
        "for name in ('ponder', 'ponder.verifiers', 'ponder.sandbox'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "for name, code in marshal.loads(bytes.fromhex(sys.argv.pop())):\n"
        "    sys.modules[name] = module = types.ModuleType(name)\n"
        "    exec(code, module.__dict__)\n"
        "try: run = module.main()\n"
        "except BaseException: module.os._exit(1)\n"
        "if run is None: module.os._exit(0)\n"
        "run()\n"
    )
    interpreter = os.path.realpath(sys.executable)
    flags = ("-I", "-S", "-B", "-X", "utf8", "-c")
    return (interpreter, *flags, begin, marshal.dumps(codes).hex())


class Started:
    """A supervisor that waits for its order.

    ``nested``: it is the first process of a namespace, and the process that we start waits for it.
    """

    def __init__(
        self,
        command: Sequence[str],
        pass_fd: int | None = None,
        *,
        nested: bool = False,
        **options: Any,
    ) -> None:
        self._nested = nested
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=() if pass_fd is None else (pass_fd,),
            start_new_session=True,
            bufsize=0,
            **options,
        )
        self.waiting = True

    @property
    def alive(self) -> bool:
        """True if it still waits."""
        return self.waiting and self._process.poll() is None

    def exchange(
        self, data: bytes, seconds: float, longest: int, *, frame: bool = False
    ) -> tuple[bytes, bool]:
        """Send everything; returns the reply up to its end, and False if it ran out of time.

        With ``frame``, the end of a complete frame is the end.
        """
        self.waiting = False
        process, said = self._process, bytearray()
        assert process.stdin is not None
        assert process.stdout is not None
        deadline, view = time.monotonic() + seconds, memoryview(data)
        for pipe in (process.stdin, process.stdout):
            os.set_blocking(pipe.fileno(), False)
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdin, selectors.EVENT_WRITE)
            ready.register(process.stdout, selectors.EVENT_READ)
            while len(said) <= longest and not (frame and _is_frame(said)):
                left = deadline - time.monotonic()
                events = ready.select(left) if left > 0 else []
                if left <= 0:
                    return bytes(said), False
                for key, _ in events:
                    if key.fileobj is process.stdin:
                        view = self._send(view)
                        if not view:
                            ready.unregister(process.stdin)
                    elif part := os.read(process.stdout.fileno(), 2**20):
                        said += part
                    else:
                        return bytes(said), True
        return bytes(said), True

    def _send(self, view: memoryview) -> memoryview:
        assert self._process.stdin is not None
        try:
            return view[os.write(self._process.stdin.fileno(), view) :]
        except BrokenPipeError:
            return view[:0]

    def kill(self) -> None:
        """Kill it, and with it all that it started. The caller must still wait for it."""
        if not (self._nested and self._kill_inner()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _kill_inner(self) -> bool:
        """Kill the first process of the namespace.

        The process that waits for it outside then ends too.

        It ends only after everything within has ended, so that nothing is left when we go on.
        """
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGKILL)
        except OSError:
            return False
        return bool(children)

    def end(self) -> None:
        """End it and wait for it: by closing its input if it waits for an order, else by killing
        it.
        """
        if self.waiting and self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)
        if self._process.poll() is None:
            self.kill()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _is_frame(said: bytearray) -> bool:
    return len(said) >= 8 and len(said) >= 8 + int.from_bytes(said[:8], "big")

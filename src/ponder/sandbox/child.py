"""The far side of a sandbox: a supervisor that never runs foreign code.

It starts the processes that do. The program's is forked before the supervisor reads the tests, so
it never holds them, nor the channel on which the verdict leaves. Sent to a fresh interpreter with
``wire`` and ``peers``, one per verdict: nothing here outlives it. Within
``bubblewrap`` the supervisor is the first process of its namespace, which no signal from within can
end, and with which everything else ends.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # not `signal`, which brings `enum`
import os
import resource
import sys
from types import ModuleType

from ponder.sandbox.peers import Asker, run_program, run_tests, serve_program
from ponder.sandbox.wire import no_other, pack, read_frame, unpack, write_frame

TYPE_CHECKING = False  # not from `typing`: each import delays every verdict
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


MOST_FILES = 4_096
"""Most files in the private folder, in all."""
LONGEST_ERROR = 2_000
"""Most bytes of a program's standard error that are reported: its end."""
LOOK_SECONDS = 0.1
"""Seconds between two counts of those files by the supervisor."""


def become(uid: int, limits: dict[str, int]) -> None:
    """Switch to a user who owns nothing, if permitted; then set the limits for good."""
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:  # this system has no such limit
            continue
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # A second more before it is killed, if it does not heed the signal that says so.
        last = most + 1 if name == "CPU" and most != hard else most
        resource.setrlimit(kind, (most, last))


def prepare(
    uid: int,
    limits: dict[str, int],
    keep: tuple[int, ...] = (),
    standard: tuple[int, int, int] | None = None,
) -> None:
    """Make this new process one for foreign code: our files ``keep``, ``standard`` as 0 to 2."""
    null = os.open(os.devnull, os.O_RDWR)
    for number, file in enumerate(standard or (null, null, null)):
        os.dup2(file, number)
    for file in set(range(3, 64)) - set(keep):
        try:
            os.close(file)
        except OSError:
            continue
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    become(uid, limits)


def start(
    work: Callable[[], None],
    uid: int,
    limits: dict[str, int],
    keep: tuple[int, ...] = (),
) -> int:
    """Start a child that does ``work``, with our files ``keep``."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        prepare(uid, limits, keep)
        work()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    finally:
        os._exit(code & 255)


def end_others() -> None:
    """Kill everything started here that still runs, if nothing else can be in sight."""
    if os.getpid() == 1:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return


def wait_for(child: int, ended: dict[int, int]) -> int:
    """Return the status of a child; records those of others that end meanwhile.

    Kills all of them if they create more files than a folder in memory should hold: empty files
    count towards no limit on bytes.
    """
    watched = os.getpid() == 1
    while child not in ended:
        pid, status = os.waitpid(-1, os.WNOHANG if watched else 0)
        if pid:
            ended[pid] = status
        elif not signal.sigtimedwait({signal.SIGCHLD}, LOOK_SECONDS):
            folder = os.statvfs(".")
            if folder.f_files - folder.f_ffree > MOST_FILES:
                end_others()
    return ended[child]


def out_of_time(status: int) -> bool:
    """Return True if the limit on CPU time ended the process."""
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)


def supervise_tests(requests: int, channel: int, order: dict[str, Any]) -> None:
    """Run the program and its tests. Each report is (secret, unit, verdict, error, detail)."""
    ask_in, ask_out = os.pipe()
    reply_in, reply_out = os.pipe()
    uid, limits = order["uid"], order["limits"]

    def be_program() -> None:
        serve_program(order["sources"], ask_in, reply_out)

    program = start(be_program, uid, limits, (ask_in, reply_out))
    os.close(ask_in)
    os.close(reply_out)
    frame = read_frame(requests)  # only now: the program's process is without it
    if frame is None:
        return
    secret, setup, units = unpack(frame, no_other)

    def report(at: int, verdict: str, error: str = "", detail: str = "") -> None:
        write_frame(channel, pack((secret, at, verdict, error[:100], detail[:500]), no_other))

    def be_tests() -> None:
        os.chdir("/")  # the program can write where we are
        os.environ["HOME"] = "/"
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # an exception, which a test might catch
        run_tests(setup, units, Asker(ask_out, reply_in), report)

    tests = start(be_tests, uid and uid + 1, limits, (ask_out, reply_in, channel))
    os.close(ask_out)
    os.close(reply_in)
    ended: dict[int, int] = {}
    late = out_of_time(wait_for(tests, ended))
    if program in ended:
        late = late or out_of_time(ended[program])
    else:  # if it is just ending, how is decided already
        end_others()
        status = wait_for(program, ended) if os.getpid() == 1 else 0
        late = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
    report(len(units), "timeout" if late else "ended")


def supervise_inputs(
    requests: int, channel: int, order: dict[str, Any]
) -> Callable[[], None] | None:
    """Run the program once per input. Each report is (verdict, output, error).

    Returns twice: None in the supervisor, and in each child the program, for the interpreter to
    run at its outermost level. So the program ends as every program does: its threads are waited
    for, what it registered with ``atexit`` is done, and what it printed is written.
    """
    for text in order["inputs"]:
        names, flags = (".in", ".out", ".err"), os.O_RDWR | os.O_CREAT | os.O_EXCL
        given, taken, told = (os.open(name, flags) for name in names)
        for name in names:
            os.unlink(name)
        os.write(given, text.encode("utf-8", "surrogatepass"))
        os.lseek(given, 0, os.SEEK_SET)

        child = os.fork()
        if not child:
            prepare(order["uid"], order["limits"], standard=(given, taken, told))
            return lambda sources=order["sources"]: run_main(sources)  # type: ignore[misc]
        status = wait_for(child, {})
        end_others()
        output = os.pread(taken, order["limits"]["FSIZE"], 0)
        verdict = "pass" if status == 0 else "timeout" if out_of_time(status) else "error"
        size = os.fstat(told).st_size
        error = os.pread(told, LONGEST_ERROR, max(0, size - LONGEST_ERROR))
        write_frame(channel, pack((verdict, output, error), no_other))
        for file in (given, taken, told):
            os.close(file)
    return None


def run_main(sources: tuple[str, ...]) -> None:
    """Run a program as the main one."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    run_program(sources, module.__dict__)


def main() -> Callable[[], None] | None:
    """Wait for one order, and carry it out; returns what is left to this process to run."""
    if os.getpid() == 1:  # `wait_for` takes it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    requests, channel = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    frame = read_frame(requests)
    if frame is None:  # not needed after all
        return None
    order = unpack(frame, no_other)
    if "inputs" in order:
        return supervise_inputs(requests, channel, order)
    supervise_tests(requests, channel, order)
    return None

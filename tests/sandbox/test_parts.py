"""What a sandbox is made of: reports, the filter of system calls, the modules of tests."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from ponder.sandbox import seccomp
from ponder.sandbox.base import Outcome, Script
from ponder.sandbox.library import library, with_library
from ponder.sandbox.pool import outcomes
from ponder.sandbox.regex import search


def test_reports_of_a_run() -> None:
    def verdicts(*reports: tuple[Any, ...], timely: bool = True) -> list[str]:
        return [o.verdict for o in outcomes(reports, 3, timely=timely)]

    ok = [(i, "pass", "", "") for i in range(3)]
    ended, late = (3, "ended", "", ""), (3, "timeout", "", "")
    assert verdicts(*ok, ended) == ["pass"] * 3
    assert verdicts(ok[0], ended) == ["pass", "error"]
    assert verdicts(ok[0], (1, "died", "", ""), late) == ["pass", "timeout"]
    assert verdicts(ok[0], timely=False) == ["pass", "timeout", "timeout"]
    assert verdicts((-1, "error", "NameError", ""), ended) == ["error"] * 3
    assert verdicts((-1, "error", "", ""), late) == ["timeout"] * 3
    assert verdicts(ok[1], ok[2], ok[1], ended) == ["error"]
    assert verdicts((0, "anything", "", ""), ended) == ["error"]
    assert outcomes([], 0, timely=True) == []


def test_the_filter_is_a_program_that_the_kernel_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for machine in ("x86_64", "aarch64"):
        monkeypatch.setattr("platform.machine", lambda name=machine: name)
        code = seccomp.program()
        assert code is not None
        lines = list(struct.iter_unpack("=HBBI", code))
        for at, (what, yes, no, _) in enumerate(lines):
            if what in (0x15, 0x35, 0x45):
                assert at + 1 + max(yes, no) < len(lines)
        assert lines[-1] == (0x06, 0, 0, 0x7FFF0000)
    monkeypatch.setattr("platform.machine", lambda: "vax")
    assert seccomp.program() is None


def _refusal(code: bytes, arch: int, number: int, first: int) -> int | None:
    """The error that a filter refuses a system call with; None if it allows it."""
    lines, at, value = list(struct.iter_unpack("=HBBI", code)), 0, 0
    seen = {0: number, 4: arch, 16: first}
    while True:
        what, yes, no, k = lines[at]
        if what == 0x06:
            return {0x7FFF0000: None, 0x80000000: -1}.get(k, k & 0xFFFF)
        at += 1
        if what == 0x20:
            value = seen[k]
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[what]
            at += yes if holds else no


MEMORY = {
    "x86_64": (0xC000003E, {
        "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "msgsnd": 69, "mq_open": 240,
        "memfd_create": 319, "memfd_secret": 447, "vmsplice": 278, "splice": 275, "tee": 276,
        "sendmsg": 46, "sendmmsg": 307, "setsockopt": 54, "inotify_init1": 294,
        "io_uring_setup": 425,
    }, {"read": 0, "fork": 57, "mmap": 9, "pipe2": 293, "futex": 202}, (41, 53, 56, 302)),
    "aarch64": (0xC00000B7, {
        "shmget": 194, "shmat": 196, "semget": 190, "msgget": 186, "msgsnd": 189, "mq_open": 180,
        "memfd_create": 279, "memfd_secret": 447, "vmsplice": 75, "splice": 76, "tee": 77,
        "sendmsg": 211, "sendmmsg": 269, "setsockopt": 208, "inotify_init1": 26,
        "io_uring_setup": 425,
    }, {"read": 63, "mmap": 222, "pipe2": 59, "futex": 98}, (198, 199, 220, 261)),
}  # fmt: skip
"""By machine: its name for the kernel, calls that are refused, calls that are not, and the numbers
of socket, socketpair, clone and prlimit64."""


@pytest.mark.parametrize("machine", MEMORY)
def test_the_filter_refuses_memory_that_no_limit_counts(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    code = seccomp.program()
    assert code is not None
    arch, refused, allowed, (socket, socketpair, clone, prlimit) = MEMORY[machine]
    assert {name: _refusal(code, arch, n, 0) for name, n in refused.items()} == dict.fromkeys(
        refused, 1
    )
    assert {_refusal(code, arch, n, 0) for n in allowed.values()} == {None}
    assert [_refusal(code, arch, socket, family) for family in (1, 2, 10, 16, 40)] == [97] * 5
    assert [_refusal(code, arch, socketpair, family) for family in (1, 2, 30)] == [None, 97, 97]
    assert [_refusal(code, arch, clone, flags) for flags in (17, 0x10000000)] == [None, 1]
    assert [_refusal(code, arch, prlimit, pid) for pid in (0, 1, 7)] == [None, 1, 1]
    assert _refusal(code, 0x40000003, 0, 0) == -1
    assert _refusal(code, arch, 435, 0) == 38


@pytest.mark.parametrize(
    ("sources", "modules"),
    [
        (["assert math.sqrt(4) == f(2)"], ["math"]),
        (["import math", "math.pi"], []),
        (["from math import pi", "math.pi + pi"], ["math"]),
        (["math = 1\nmath.real"], []),
        (["def g(copy): return copy.x"], []),
        (["bisect(1)\nbisect.x"], []),
        (["os.path.join(re.escape('a'))", "f.sys.x"], ["os", "re"]),
        (["f(", "json.x"], ["json"]),
        (["nowhere.x; f.y"], []),
        (["import os.path as p", "os.x"], ["os"]),
    ],
)
def test_modules_that_tests_forgot_to_import(sources: list[str], modules: list[str]) -> None:
    assert library(sources) == modules


@pytest.mark.parametrize(
    ("setup", "wanted"),
    [
        ("", "import math\n"),
        ("x = 1", "import math\nx = 1"),
        ("from __future__ import annotations\nx = 1",
         "from __future__ import annotations\nimport math\nx = 1"),
        ("import math", "import math"),
        ("f(", "f("),
    ],
)  # fmt: skip
def test_they_are_imported_first(setup: str, wanted: str) -> None:
    assert with_library(Script(("math.pi",), setup)).setup == wanted


async def test_a_pattern_that_takes_forever_is_stopped() -> None:
    texts = ["abc", "a" * 60 + "!", "b"]
    assert await search("^(a|a)*$|b", texts, seconds=1.0) == [True, None, True]
    assert await search("x", []) == []


def test_outcomes_are_values() -> None:
    assert Outcome("pass").passed
    assert not any(Outcome(v).passed for v in ("fail", "error", "timeout", "unsupported"))

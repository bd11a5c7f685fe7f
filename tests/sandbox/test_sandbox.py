"""What every sandbox promises to programs that mean well, and when there is no sandbox at all."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.cli.main import main
from ponder.core.errors import UsageError
from ponder.sandbox import choice, seccomp
from ponder.sandbox.base import Limits, Outcome, Sandbox, Script
from ponder.sandbox.pool import Pool, outcomes
from ponder.sandbox.regex import search
from ponder.sandbox.wire import no_other, pack, unpack
from tests.support.sandboxes import NAMES, sandbox


@pytest.fixture(params=NAMES)
def where(request: pytest.FixtureRequest) -> Sandbox:
    return sandbox(request.param)


@pytest.fixture
def whole() -> Sandbox:
    return sandbox("bubblewrap")


async def passing(where: Sandbox, program: str, *units: str) -> list[str]:
    return [o.verdict for o in await where.test([program], Script(units))]


# What every sandbox can do ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "unit"),
    [
        ("def f(n): return 2 * n", "assert f(2) == 4"),
        ("def f(n): return 2 * n", "assert f(n=2) == 4 and f('a') == 'aa'"),
        ("f = lambda *a, **k: (a, k)", "assert f(1, b=[2]) == ((1,), {'b': [2]})"),
        ("def f(): return [1, 2.5, None, True, 'ü', b'x', (1,), {2}, {3: 4}]",
         "assert f() == [1, 2.5, None, True, 'ü', b'x', (1,), {2}, {3: 4}]"),
        ("def f(): return 1e300 * 1e10, -0.0, 10 ** 400",
         "inf, zero, big = f()\nassert str((inf, zero)) == '(inf, -0.0)' and big == 10 ** 400"),
        ("def f(): raise ValueError('no')",
         "try:\n    f()\nexcept ValueError as error:\n    assert str(error) == 'no'\n"
         "else:\n    assert False"),
        ("TABLE = {1: 2}\ndef f(): return 0", "assert TABLE == {1: 2}"),
        ("count = 0\ndef f():\n    global count\n    count += 1\n    return count",
         "assert [f(), f()] == [1, 2]"),
        ("def f(n): return n + 0.1", "import math\nassert math.isclose(f(0.2), 0.3)"),
    ],
)  # fmt: skip
async def test_plain_data_passes_between_a_program_and_its_tests(
    program: str, unit: str, where: Sandbox
) -> None:
    assert await passing(where, program, unit) == ["pass"]


async def test_each_unit_is_a_test_of_its_own(where: Sandbox) -> None:
    said = await where.test(
        ["def f(n): return 10 // n"],
        Script(("assert f(2) == 5", "assert f(3) == 4", "f(0)", "assert f(-1) == -10"), "x = 1"),
    )
    assert [o.verdict for o in said] == ["pass", "fail", "error", "pass"]
    assert [o.error for o in said] == ["", "AssertionError", "ZeroDivisionError", ""]


async def test_a_program_that_cannot_be_run_passes_nothing(where: Sandbox) -> None:
    for program in ("def f(:", "1 / 0", "import nowhere_to_be_found"):
        assert await passing(where, program, "assert True", "assert True") == ["error"] * 2


async def test_any_number_may_be_asked_for_at_once_and_on_any_loop(where: Sandbox) -> None:
    programs = [f"def f(n): return n + {i}" for i in range(8)]
    said = await asyncio.gather(*(passing(where, p, "assert f(1) == 4") for p in programs))
    assert said == [["pass" if i == 3 else "fail"] for i in range(8)]
    in_thread = asyncio.to_thread(asyncio.run, passing(where, programs[3], "assert f(1) == 4"))
    assert await in_thread == ["pass"]


async def test_a_program_gets_its_input_and_its_output_is_kept(where: Sandbox) -> None:
    program = "total = 0\nfor _ in range(int(input())):\n    total += int(input())\nprint(total)"
    said = await where.feed([program], ["2\n3\n4\n", "0\n", "2\n3\n"])
    assert [(o.verdict, o.text) for o in said] == [
        ("pass", "7\n"), ("pass", "0\n"), ("error", ""),
    ]  # fmt: skip


# All of Python ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "unit"),
    [
        ("def f():\n    yield 1\n    yield 2", "assert list(f()) == [1, 2]"),
        ("import itertools\ndef f(): return itertools.count()",
         "import itertools\nassert list(itertools.islice(f(), 3)) == [0, 1, 2]"),
        ("def f(x): x.sort()", "x = [2, 1]\nf(x)\nassert x == [1, 2]"),
        ("class Stack:\n    def __init__(self): self.items = []\n"
         "    def push(self, x): self.items.append(x)\n    def __len__(self): return 2",
         "s = Stack()\ns.push(1)\nassert s.items == [1] and len(s) == 2 and s == s"),
        ("class A: pass\ndef f(a): return a.x", "a = A()\na.x = 3\nassert f(a) == 3"),
        ("from collections import Counter, namedtuple\nP = namedtuple('P', 'a b')\n"
         "def f(): return Counter('aab'), P(1, 2)", "assert f() == ({'a': 2, 'b': 1}, (1, 2))"),
        ("from fractions import Fraction\nfrom decimal import Decimal\n"
         "def f(): return Fraction(1, 2), Decimal('0.10')", "assert f() == (0.5, f()[1])"),
        ("import sys\ndef f(): return sys.getsizeof(1)", "assert f() == sys.getsizeof(1)"),
        ("import dataclasses, heapq, typing\n@dataclasses.dataclass\nclass P:\n    n: int\n"
         "def f(n): return P(n).n", "assert f(1) == 1"),
        ("def sum(a, b): return a + b", "sum = __program__('sum')\nassert sum(1, 2) == 3"),
        ("if __name__ == '__main__':\n    1 / 0\ndef f(): return 1", "assert f() == 1"),
    ],
)  # fmt: skip
async def test_bubblewrap_runs_all_of_python(program: str, unit: str, whole: Sandbox) -> None:
    assert await passing(whole, program, unit) == ["pass"]


async def test_a_test_behind_one_that_killed_the_program_is_still_run(whole: Sandbox) -> None:
    program = "import os\ndef f(n):\n    if n == 1: os._exit(0)\n    return n"
    units = [f"assert f({n}) == {n}" for n in (0, 1, 2, 1, 3)]
    said = await passing(whole, program, *units)
    assert said == ["pass", "error", "pass", "error", "pass"]


async def test_what_cannot_cross_is_an_error_and_no_pass(whole: Sandbox) -> None:
    program = "class V:\n    def __add__(self, o): return 3\ndef f(g): return g(1)"
    said = await whole.test(
        [program], Script(("assert f(lambda n: n) == 1", "assert V() + V() == 3"))
    )
    assert [o.error for o in said] == ["Uncrossable", "TypeError"]


# A part of Python ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "def f():\n    yield 1",
        "class A(dict): pass\ndef f(): return 1",
        "import heapq\ndef f(): return 1",
        "import collections\ndef f(): return collections.ChainMap()",
        "def f(): return vars()",
        "def f(): return str.maketrans('a', 'b')",
    ],
)
async def test_what_monty_cannot_run_is_unsupported_and_not_wrong(program: str) -> None:
    assert await passing(sandbox("monty"), program, "assert f() == 1") == ["unsupported"]


async def test_monty_says_so_of_arguments_changed_in_place() -> None:
    said = await passing(
        sandbox("monty"), "def f(x): x.sort()", "x = [2, 1]\nf(x)\nassert x[0] < 2"
    )
    assert said == ["unsupported"]


# No sandbox, no run -------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has neither."""

    def absent(*anything: Any) -> Any:
        raise OSError

    monkeypatch.setattr(choice, "confined", absent)
    monkeypatch.setattr(choice, "monty", absent)
    choice._found.cache_clear()
    yield
    choice.permit_unsafe(False)
    choice._found.cache_clear()


@pytest.mark.usefixtures("bare")
def test_without_a_sandbox_nothing_is_run_and_one_sentence_says_how_to_get_one() -> None:
    with pytest.raises(UsageError, match=r"install Debian's package bubblewrap, or pip install"):
        choice.find()
    with pytest.raises(UsageError, match=r"package bubblewrap \(docs"):
        choice.find(whole=True)


@pytest.mark.usefixtures("bare")
async def test_unsafe_is_asked_for_and_loud() -> None:
    with pytest.warns(RuntimeWarning, match="UNSAFE: programs that a model wrote run here without"):
        unsafe = choice.find(unsafe=True)
    assert "unsafe" in unsafe.name
    assert await passing(unsafe, "def f(n): return n", "assert f(1) == 1") == ["pass"]
    assert await passing(unsafe, "import os\nos._exit(0)", "assert f(1) == 1") == ["error"]


@pytest.mark.usefixtures("bare")
def test_the_command_line_spells_it_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem, candidates = tmp_path / "p.json", tmp_path / "c.jsonl"
    tests = {"kind": "assert", "code": "assert f(1) == 1"}
    asked = {"question": "Write f.", "answer_type": "code", "tests": tests}
    problem.write_text(json.dumps(asked))
    candidates.write_text(json.dumps({"text": "```python\ndef f(n): return n\n```"}))
    score = ["score", str(problem), str(candidates), "--verifier", "execution", "--json"]
    with pytest.raises(SystemExit, match="2"):
        main(score)
    with pytest.warns(RuntimeWarning, match="UNSAFE"), pytest.raises(SystemExit, match="0"):
        main([*score, "--unsafe-execution"])
    out, err = capsys.readouterr()
    assert "or say --unsafe-execution." in err
    assert json.loads(out)["scores"][0]["verdict"] == "pass"


def test_a_bwrap_that_does_not_confine_is_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it just runs what it is given."""
    if shutil.which("bwrap") is None:
        pytest.skip("this machine has no bwrap to be replaced")
    fake = tmp_path / "bwrap"
    fake.write_text(
        f"#!{sys.executable}\nimport os, sys\nrest = sys.argv[sys.argv.index('--') + 1:]\n"
        "os.execv(rest[0], rest)\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="does not work here"):
        choice.confined(Limits(1, 5.0))


async def test_a_sandbox_that_does_not_start_any_more_blames_no_program() -> None:
    def full() -> Any:
        raise OSError(11, "Resource temporarily unavailable")

    pool = Pool("full", full, Limits(), nobody=False)
    with pytest.raises(UsageError, match="does not start any more"):
        await passing(pool, "x = 1", "assert True")


# The parts ----------------------------------------------------------------------------------------

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner)
    | st.frozensets(st.integers()) | st.sets(st.text()),
)  # fmt: skip


@given(DATA)
def test_what_is_packed_is_unpacked(value: Any) -> None:
    there = unpack(pack(value, no_other), no_other)
    assert there == value
    assert repr(there) == repr(value) or isinstance(value, set | frozenset | dict | list | tuple)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        unpack(data, no_other)
    except (ValueError, TypeError, LookupError, ImportError, OverflowError):
        return


def test_a_subclass_is_what_it_extends() -> None:
    class Odd(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    there = unpack(pack([Odd(3)], no_other), no_other)
    assert type(there[0]) is int
    assert there == [3]


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


async def test_a_pattern_that_takes_forever_is_stopped() -> None:
    texts = ["abc", "a" * 60 + "!", "b"]
    assert await search("^(a|a)*$|b", texts, seconds=1.0) == [True, None, True]
    assert await search("x", []) == []


def test_outcomes_are_values() -> None:
    assert Outcome("pass").passed
    assert not any(Outcome(v).passed for v in ("fail", "error", "timeout", "unsupported"))

"""What every sandbox promises to programs that mean well, and when there is no sandbox at all."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ponder.cli.main import main
from ponder.core.errors import UsageError
from ponder.sandbox import choice
from ponder.sandbox.base import Limits, Sandbox, Script
from ponder.sandbox.pool import Pool
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


@pytest.mark.parametrize(
    ("program", "unit", "verdict"),
    [
        ("class math:\n    def isclose(*a): return True\ndef f(): return 3",
         "assert math.isclose(f(), 4)", "fail"),
        ("class math:\n    pi = 3\ndef f(): return 3", "assert f() == math.pi", "fail"),
        ("def f(): return 2", "assert math.sqrt(4) == f()", "pass"),
        ("import math\ndef f(): return 2", "assert math.floor(2.5) == f()", "pass"),
        ("json = 1\ndef f(): return '[1]'", "assert json.loads(f()) == [1]", "pass"),
        ("def bisect(n): return n", "assert bisect(1) == 1", "pass"),
        ("queue = [1, 2]", "assert queue == [1, 2]", "pass"),
        ("def f(): return 1", "copy = [f()]\nassert copy.index(1) == 0", "pass"),
        ("def f(): raise StopIteration(4)", "for n in (1,):\n    assert f() == 4", "error"),
        ("def f(): raise StopIteration", "try:\n    f()\nexcept StopIteration:\n    pass", "error"),
        ("def f(): assert False, 'no'", "assert f() == 1", "error"),
        ("def f(): assert False, 'no'",
         "try:\n    f()\nexcept AssertionError:\n    pass\nelse:\n    assert False", "pass"),
        ("def f(): raise KeyError('k')",
         "try:\n    f()\nexcept KeyError:\n    pass\nelse:\n    assert False", "pass"),
        ("class A: pass\ndef f(): return 1 / 0", "try:\n    f()\nexcept:\n    pass", "pass"),
    ],
)  # fmt: skip
async def test_names_and_exceptions_cross_as_what_they_are(
    program: str, unit: str, verdict: str, where: Sandbox
) -> None:
    assert await passing(where, program, unit) == [verdict]


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
        ("import decimal\nD = decimal.Decimal\ndef f(n): return n / 2, D('1e3'), D('-0')",
         "from fractions import Fraction\nhalf, k, zero = f(Fraction(1))\n"
         "assert half == Fraction(1, 2) and str(k) == '1E+3' and str(zero) == '-0'"),
        ("def f(n): return type(n).__module__",
         "from decimal import Decimal\nassert f(Decimal(1)) == 'decimal'"),
        ("import asyncio\nasync def g(): return 1\ndef f(): return asyncio.run(g())",
         "assert f() == 1"),
        ("from concurrent.futures import ThreadPoolExecutor as T\n"
         "def f(n):\n    with T(4) as t: return list(t.map(abs, range(n)))",
         "assert len(f(9)) == 9"),
        ("import subprocess, sys\ncommand = [sys.executable, '-c', 'print(1)']\n"
         "def f(): return subprocess.check_output(command)", "assert f() == b'1\\n'"),
        ("def f(n):\n    for i in range(n): yield i",
         "assert list(map(abs, f(3))) == [0, 1, 2] and next(f(0), 'end') == 'end'"),
        ("def f(): return 1",
         "import os, sys\nplaces = [*sys.path, os.getcwd(), os.environ['HOME']]\n"
         "assert '' not in places and not any(os.access(p, os.W_OK) for p in places)"),
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
        [program],
        Script(
            (
                "assert f(lambda n: n) == 1",
                "assert V() + V() == 3",
                "try:\n    f(print)\nexcept TypeError:\n    pass",
                "x = []\nx.append(x)\ntry:\n    f(x)\nexcept:\n    pass",
                "assert f != V",
            )
        ),
    )
    assert [o.error for o in said] == ["Uncrossable", "TypeError", "Uncrossable", "Uncrossable", ""]


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


@pytest.mark.parametrize(
    ("unit", "verdict"),
    [
        ("assert f([2, 1]) == 5", "fail"),
        ("assert f([2, 1]) == 0", "pass"),
        ("assert sum([f([2, 1])]) == 5", "fail"),
        ("x = [2, 1]\nassert f(x) == 5", "unsupported"),
        ("x = [2, 1]\nassert f(x) == 0 and x == [2, 1]", "unsupported"),
        ("def check(g):\n    xs = [2, 1]\n    assert g(xs) == 5\ncheck(f)", "unsupported"),
        ("assert list(map(f, [[2, 1]])) == [5]", "unsupported"),
    ],
)
async def test_monty_abstains_where_a_test_may_see_an_argument_changed(
    unit: str, verdict: str
) -> None:
    """Decided by the text of the test; the program changes its argument in each of them."""
    program = "def f(x):\n    x.sort()\n    return 0"
    assert await passing(sandbox("monty"), program, unit) == [verdict]


@pytest.mark.parametrize(
    ("program", "unit"),
    [
        ("def f():\n    while True: pass", "f()"),
        ("def f(): return len", "f()"),
        ("class A: pass\ndef f(): return A()", "f()"),
        ("import datetime\ndef f(): return datetime.date(2020, 1, 1)", "f()"),
        ("def f(n): return NotImplemented", "f(n=1)"),
    ],
)
async def test_a_failure_of_monty_is_no_pass_whatever_a_test_catches(
    program: str, unit: str
) -> None:
    where = sandbox("monty", Limits(1, 2.5, 64 * 2**20))
    caught = f"try:\n    {unit}\nexcept:\n    pass"
    verdicts = await passing(where, program, caught, f"{caught}\nassert True")
    assert "pass" not in verdicts


# No sandbox, no run -------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has neither."""

    def absent(*anything: Any) -> Any:
        raise OSError

    monkeypatch.setattr(choice, "confined", absent)
    monkeypatch.setattr(choice, "monty", absent)


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

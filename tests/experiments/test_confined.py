"""Programs are run confined: known solutions pass, and a hostile program proves nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ponder.core.errors import UsageError
from ponder.experiments import confined
from ponder.experiments.confined import Confined, Limits, Verdict
from ponder.experiments.gold import HiddenTests
from ponder.experiments.grading import grade, program, verdict
from ponder.experiments.suites.registry import SUITES


@pytest.fixture(scope="module")
def run() -> Confined:
    confined = Confined(Limits(cpu_seconds=1, wall_seconds=10))
    try:
        asyncio.run(confined([]))
    except UsageError as error:
        pytest.skip(str(error))
    return confined


def solved(data: Path, name: str) -> list[str]:
    if name == "mbpp":
        rows = json.loads((data / "mbpp/sanitized-mbpp.json").read_text(encoding="utf-8"))
        return [row["code"] for row in rows]
    with gzip.open(data / "humaneval/HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        return [row["prompt"] + row["canonical_solution"] for row in map(json.loads, file)]


@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
async def test_known_solutions_pass_and_wrong_ones_fail(
    data: Path, name: str, run: Confined
) -> None:
    for item, code in list(zip(SUITES[name].load(data), solved(data, name), strict=True))[:15]:
        assert isinstance(item.gold, HiddenTests)
        assert await verdict(item.gold, code, run) == Verdict(True, "passed", run_by(run))
        wrong = code.replace("return", "return None and")
        assert wrong != code
        assert not await grade(item.gold, wrong, run=run), item.problem_id


def run_by(run: Confined) -> str:
    assert run._way is not None
    return run._way.name


async def test_helpers_and_bare_bodies_complete_the_prompt(data: Path, run: Confined) -> None:
    item = SUITES["humaneval"].load(data)[
        38
    ]  # its tests call a helper that only the prompt defines
    with gzip.open(data / "humaneval/HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        row = [json.loads(line) for line in file][38]
    bare = f"def {row['entry_point']}(s: str):\n{row['canonical_solution']}"
    for answer in (bare, row["canonical_solution"]):
        assert await grade(item.gold, answer, run=run)


TESTS = HiddenTests(
    "assert double(2) == 4\nassert double(5) == 10", "double", stub="def double(n):"
)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("def double(n): return 2 * n", True),
        ("from __future__ import annotations\ndouble = lambda n: n + n", True),
        ("    return 2 * n", True),
        ("return 2 * n", True),
        ("from operator import pos as double", False),
        ("def double(n): return 4", False),
        ("def other(n): return 2 * n", False),
        ("double(", False),
        ("if __name__ == '__main__':\n    1 / 0\ndef double(n): return 2 * n", True),
        ("import dataclasses\n@dataclasses.dataclass\nclass P:\n    n: int\n"
         "def double(n): return P(2 * n).n", True),
    ],
)  # fmt: skip
async def test_an_answer_is_run_as_its_author_meant(
    answer: str, right: bool, run: Confined
) -> None:
    assert await grade(TESTS, answer, run=run) is right


HOSTILE = {
    "prints": "print('passed', 'ok', 'True')",
    "exits": "import sys; sys.exit(0)",
    "exits at once": "import os; os._exit(0)",
    "exits later": "import os\ndef double(n): os._exit(0)",
    "exits in silence": "def double(n): raise SystemExit",
    "loops": "while True: pass",
    "takes memory": "block = bytearray(2**33)",
    "forks": "import os\nwhile True:\n    os.fork()",
    "starts threads": "import threading\nwhile True:\n"
    "    threading.Thread(target=threading.Event().wait).start()",
    "fills the disk": "open('f', 'wb').write(bytes(2**30))",
    "writes to all files": "import os\nfor fd in range(3, 64):\n"
    "    try: os.write(fd, b'passed')\n    except OSError: pass",
    "closes all files": "import os; os.closerange(0, 64)",
    "kills": "import os; os.kill(-1, 9)",
    "stops its own clock": "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
    "while True: pass",
    "replaces exec": "import builtins, os\nbuiltins.exec = print; os.write = print",
    "never ends its name": "def double(n):\n    return double(n)",
}


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_program_does_not_pass(program: str, run: Confined) -> None:
    said = await verdict(TESTS, program, run)
    assert not said.passed
    if program == HOSTILE["loops"]:
        assert said.why == "timeout"


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file that anybody may write, by its mode; it must stay whole."""
    path = tmp_path / "victim"
    path.write_text("whole")
    tmp_path.chmod(0o777)
    path.chmod(0o666)
    yield path
    assert path.read_text() == "whole"


async def test_no_file_can_be_written_and_no_network_reached(run: Confined, victim: Path) -> None:
    outside = (
        "import socket\n"
        "def double(n):\n"
        "    for action in (lambda: open(VICTIM, 'w'), lambda: open('/etc/ponder', 'w'),\n"
        "                   lambda: socket.create_connection(('192.0.2.1', 80), 0.1)):\n"
        "        try: action()\n"
        "        except OSError: continue\n"
        "        return 0\n"
        "    return 2 * n\n"
    ).replace("VICTIM", repr(str(victim)))
    if "read-only" not in run_by(run):
        pytest.skip(f"this machine offers only: {run_by(run)}")
    said = await verdict(TESTS, outside, run)
    assert said.passed, said


async def test_a_program_gets_no_environment(
    run: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    tests = HiddenTests(
        "import os, sys\nassert 'API_KEY' not in os.environ\nassert sys.stdin.read() == ''"
    )
    assert await grade(tests, "x = 1", run=run)


async def test_without_confinement_it_is_refused_unless_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confined, "_ways", list)
    with pytest.raises(UsageError, match="install bubblewrap"):
        await grade(TESTS, "def double(n): return 2 * n", run=Confined())
    allowed = await verdict(TESTS, "def double(n): return 2 * n", Confined(unsafe=True))
    assert allowed == Verdict(True, "passed", "limits alone, with network")


async def test_the_runner_is_a_parameter() -> None:
    asked: list[Sequence[str]] = []

    async def run(parts: Sequence[str]) -> Verdict:
        asked.append(parts)
        return Verdict(True, "passed", "none")

    assert await grade(TESTS, "def double(n): ...", run=run)
    assert asked == [program(TESTS, "def double(n): ...")]

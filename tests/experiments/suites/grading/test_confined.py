"""Hidden tests are run in a sandbox: known solutions pass, wrong ones and tricks do not."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.experiments.suites.grading.confined import Confined, Limits, Verdict
from ponder.experiments.suites.grading.gold import HiddenTests
from ponder.experiments.suites.grading.grade import grade, program, verdict
from ponder.experiments.suites.registry import SUITES
from ponder.sandbox import choice


@pytest.fixture(scope="module")
def run() -> Confined:
    made = Confined(Limits(cpu_seconds=4, wall_seconds=60))
    try:
        asyncio.run(made([]))
    except UsageError as error:
        pytest.skip(str(error))
    return made


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
    assert run.sandbox is not None
    return run.sandbox.name


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


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("import os; os._exit(0)", "no verdict"),
        ("def double(n): raise SystemExit", "RuntimeError"),
        ("while True: pass", "timeout"),
        ("class E:\n    def __eq__(self, o): return True\ndef double(n): return E()",
         "AssertionError"),
        ("def double(n): return 4", "AssertionError"),
    ],
)  # fmt: skip
async def test_why_a_program_does_not_pass(answer: str, why: str, run: Confined) -> None:
    said = await verdict(TESTS, answer, run)
    assert (said.passed, said.why) == (False, why)


async def test_a_program_gets_no_environment(
    run: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    tests = HiddenTests(
        "import os, sys\nassert 'API_KEY' not in os.environ\nassert x == 1\n"
        "assert sys.stdin.read() == ''"
    )
    assert await grade(tests, "x = 1", run=run)


async def test_without_confinement_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*anything: Any, whole: bool, **more: Any) -> Any:
        assert whole
        raise UsageError("install bubblewrap")

    monkeypatch.setattr(choice, "find", absent)
    with pytest.raises(UsageError, match="install bubblewrap"):
        await grade(TESTS, "def double(n): return 2 * n", run=Confined())


async def test_the_runner_is_a_parameter() -> None:
    asked: list[Sequence[str]] = []

    async def run(parts: Sequence[str]) -> Verdict:
        asked.append(parts)
        return Verdict(True, "passed", "none")

    assert await grade(TESTS, "def double(n): ...", run=run)
    assert asked == [program(TESTS, "def double(n): ...")]

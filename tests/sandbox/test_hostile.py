"""Hostile programs against every sandbox of this machine.

None passes, none gets out, none delays the run beyond its limits, and nothing is left running. The
programs are in ``hostile/``; 'right only if ...' there means that a pass would be an escape.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ponder.core.problem import AssertTests, IoCase, IoTests
from ponder.experiments.suites.grading.confined import Confined
from ponder.experiments.suites.grading.gold import HiddenTests
from ponder.experiments.suites.grading.grade import verdict
from ponder.sandbox.base import Sandbox, Script
from ponder.verifiers.execution.codet import passed
from ponder.verifiers.execution.program import script
from ponder.verifiers.execution.verifier import run
from tests.support.sandboxes import NAMES, TIGHT, sandbox

CORPUS = {
    path.stem: path.read_text("utf-8") for path in Path(__file__).parent.glob("hostile/*.txt")
}
TESTS = AssertTests("assert double(2) == 4\nassert double(5) == 10", "double")
STYLES = (
    "assert double(2) == 4",
    "assert 4 == double(2)",
    "assert not double(2) != 4",
    "assert abs(double(2) - 4) < 1e-6",
    "import math\nassert math.isclose(double(2), 4)",
    "assert double(2) in [4, 5]",
    "assert {double(2)} == {4}",
    "assert sorted([double(2)]) == [4]",
    "assert [double(n) for n in (2, 5)] == [4, 10]",
    "assert isinstance(double(2), int) and double(2) == 4",
    "def check(f):\n    assert f(2) == 4\n    assert f(5) == 10\ncheck(double)",
    "try:\n    right = double(2) == 4\nexcept Exception:\n    right = False\nassert right",
    "assert math.isclose(double(2), 4)",
    "assert double(2) == math.floor(4.5) and math.pi > 3",
    "assert all(map(lambda n: double(n) == 2 * n, [2, 5]))",
    "for want, got in zip([4, 10], map(double, [2, 5])):\n    assert want == got",
    "for got in map(double, [2, 5]):\n    assert got in (4, 10)",
    "assert all(got == 4 for got in iter(lambda: double(2), 4)) and double(2) == 4",
    "import itertools\nassert not list(itertools.filterfalse(lambda n: double(n) == 2 * n, [2]))",
)
CAUGHT = (
    "try:\n    double(2)\nexcept:\n    pass",
    "try:\n    double(2)\nexcept BaseException:\n    pass",
    "for n in range(2):\n    try:\n        double(n)\n    except:\n        continue",
)
"""Tests that any exception of the program's passes; but no failure of the harness does."""
NAME_ITSELF = (
    "try:\n    import ctypes\n    ctypes.CDLL(None).prctl(15, b'{}')\nexcept Exception:\n    pass\n"
)
"""A process and all that it forks are called so, for whoever lists the machine's processes."""


def alive(marker: str) -> list[str]:
    """The processes of that name, anywhere on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == marker:
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@pytest.fixture
def marker() -> str:
    return f"p{secrets.token_hex(6)}"


@pytest.fixture(params=NAMES)
def tight(request: pytest.FixtureRequest) -> Sandbox:
    return sandbox(request.param, TIGHT)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file that anybody may read and write, by its mode; it must stay whole."""
    path = tmp_path / "victim"
    path.write_text("whole")
    tmp_path.chmod(0o777)
    path.chmod(0o666)
    yield path
    assert path.read_text() == "whole"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Somebody who must not be called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("name", sorted(CORPUS))
async def test_no_program_passes_or_gets_out_or_stays(
    name: str,
    tight: Sandbox,
    marker: str,
    victim: Path,
    listening: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("API_KEY", f"MARKER{marker}")
    text = CORPUS[name].replace("VICTIM", str(victim))
    text = text.replace("PORT", str(listening.getsockname()[1]))
    outcomes = await run(NAME_ITSELF.format(marker) + text, TESTS, tight)
    assert len(outcomes) == 2
    assert not any(outcome.passed for outcome in outcomes), outcomes
    assert not alive(marker)
    if name in ("takes_time", "takes_time_in_call", "sleeps", "sleeps_in_call"):
        assert {outcome.verdict for outcome in outcomes} == {"timeout"}


@pytest.mark.parametrize("name", [name for name in sorted(CORPUS) if name.startswith("forge_")])
async def test_no_verdict_is_forged_however_the_tests_are_written(
    name: str, tight: Sandbox
) -> None:
    scripts = [script(AssertTests(style, "double")) for style in STYLES]
    said = await asyncio.gather(*(tight.test([CORPUS[name]], one) for one in scripts))
    for style, outcomes in zip(STYLES, said, strict=True):
        assert not any(outcome.passed for outcome in outcomes), (style, outcomes)


@pytest.mark.parametrize("name", [name for name in sorted(CORPUS) if "abstains" in name])
async def test_no_wrong_program_abstains_by_the_text_of_its_error(
    name: str, tight: Sandbox
) -> None:
    for outcome in await run(CORPUS[name], TESTS, tight):
        assert outcome.verdict == "error", outcome


@pytest.mark.parametrize("style", CAUGHT)
@pytest.mark.parametrize(
    "name",
    ["forge_exit_in_call", "forge_closes_descriptors_in_call", "forge_frames_of_odd_numbers",
     "takes_time_in_call", "takes_time_catching_everything"],
)  # fmt: skip
async def test_a_test_that_catches_everything_catches_no_failure_of_the_harness(
    name: str, style: str
) -> None:
    where = sandbox("bubblewrap", TIGHT)
    [outcome] = await where.test([CORPUS[name]], Script((style,), ""))
    assert not outcome.passed


@pytest.mark.parametrize("name", ["forge_imports_a_runner", "forge_class_named_math"])
async def test_execution_codet_and_grading_share_the_path(name: str) -> None:
    where = sandbox("bubblewrap", TIGHT)
    wrong, right = CORPUS[name], "def double(n): return 2 * n"
    tests = "assert math.isclose(double(2), 4)"
    gold = HiddenTests(tests, "double")
    for program, passes in ((wrong, False), (right, True)):
        grade = await verdict(gold, program, Confined(sandbox=where))
        assert grade.passed is passes
        assert passed(await where.test([program], Script((tests,), "import math"))) == frozenset(
            [0] if passes else []
        )
        [outcome] = await run(program, AssertTests(tests, "double"), where)
        assert outcome.passed is passes


@pytest.mark.parametrize("name", sorted(CORPUS))
async def test_no_program_prints_what_it_should_by_chance(
    name: str, tight: Sandbox, marker: str
) -> None:
    """The same programs, where tests are inputs and outputs: compared outside of the sandbox."""
    tests = IoTests((IoCase("2\n", "4\n"), IoCase("5\n", "10\n")))
    text = CORPUS[name].replace("VICTIM", "/nowhere").replace("PORT", "9")
    outcomes = await run(f"{NAME_ITSELF.format(marker)}{text}\nprint(double(2))", tests, tight)
    assert len(outcomes) == 2
    assert not all(outcome.passed for outcome in outcomes), outcomes
    assert not alive(marker)


@pytest.mark.parametrize("name", NAMES)
async def test_what_one_program_leaves_the_next_does_not_find(name: str) -> None:
    roomy = sandbox(name)  # for programs that must pass, however busy the machine is
    leave = (
        "import os\nopen('/tmp/left', 'w').write('x')\nopen('left', 'w').write('x')\n"
        "os.chmod('/tmp', 0)\n"
    )
    look = "import os\nfound = os.path.exists('left') or os.path.exists('/tmp/left')\n"
    programs = [f"{leave}def double(n): return 0", f"{look}def double(n): return 0 if found else n"]
    for program in programs * 3:
        [outcome] = await roomy.test([program], script(AssertTests("assert double(2) == 2")))
        assert outcome.verdict in (("fail", "error") if "chmod" in program else ("pass",)) or (
            not roomy.whole and outcome.verdict in ("unsupported", "error")
        )


async def test_who_waits_no_longer_leaves_nobody_behind(marker: str) -> None:
    sleeper = f"{NAME_ITSELF.format(marker)}{CORPUS['sleeps']}"
    waiting = asyncio.ensure_future(run(sleeper, TESTS, sandbox("bubblewrap")))
    seen = await asyncio.to_thread(lambda: any(alive(marker) or waiting.done() for _ in count()))
    assert seen
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.to_thread(lambda: any(not alive(marker) for _ in count()))


def test_the_list_of_processes_would_show_one(marker: str) -> None:
    code = f"{NAME_ITSELF.format(marker)}print(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert alive(marker) == [str(process.pid)]
        process.kill()
    assert not alive(marker)

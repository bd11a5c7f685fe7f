"""Program: golden traces on a scripted model and a sandbox that knows ``print`` alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import ponder
from ponder.answers.reading import Reader
from ponder.core.budget import Budget
from ponder.core.errors import MalformedReply, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.trace import Ran
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from ponder.runtime import history
from ponder.runtime.journal import Journal
from ponder.runtime.programs import run
from ponder.sandbox.base import Output, Sandbox
from ponder.sandbox.choice import Sandboxes
from ponder.verifiers.base import Tools
from tests.support.commands import ponder as command
from tests.support.jobs import PROBLEM, go, trace
from tests.support.sandboxes import NAMES, Printing, needed, sandbox

FENCED = "So:\n```python\n{}\n```"
GOOD, BAD = FENCED.format("print(42)"), FENCED.format("print(nothing)")


async def test_the_output_is_the_answer() -> None:
    model = Scripted([GOOD])
    result = await go(model, "program")
    assert (result.answer, result.silent, result.confidence) == ("42", 0, None)
    [candidate] = result.candidates
    assert (candidate.text, candidate.votes) == (GOOD, 1)
    assert [(item.role, item.calls) for item in result.receipt.items] == [("program", 1)]
    [asked] = model.requests
    assert asked.messages == (
        Message(
            "user",
            "What is six times seven ?\n\nWrite a Python program that computes the answer and "
            "prints it. Use the standard library only. Reply with the program alone, in one "
            "```python block.",
        ),
    )


async def test_a_failed_program_is_told_why_and_mended_once() -> None:
    model = Scripted([BAD, GOOD])
    result = await go(model, "program")
    assert (result.answer, result.silent) == ("42", 1)
    first, second = model.requests
    assert second.messages == (
        *first.messages,
        Message("assistant", BAD),
        Message(
            "user",
            "This program gives no answer: line 1, `print(nothing)`: NameError: not print(nothing)"
            "\n\nWrite the whole program again, correctly.",
        ),
    )


@pytest.mark.parametrize(("repairs", "calls"), [(0, 1), (1, 2), (3, 4)])
async def test_a_program_that_cannot_be_mended_has_no_answer(repairs: int, calls: int) -> None:
    model = Scripted([BAD] * 9)
    result = await go(model, "program", knobs={"repairs": repairs})
    assert (result.answer, result.silent, len(model.requests)) == (None, calls, calls)
    assert result.stopped_by == "done"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("It is 42.", "there is no complete program in a ```python block"),
        (FENCED.format("loop()"), "it ran out of time"),
        (FENCED.format("print('')"), "it printed nothing"),
        (FENCED.format("print('many')"), "it printed 'many', which is not a number"),
        (FENCED.format("print('nan')"), "it printed 'nan', which is not a number"),
    ],
)
async def test_the_model_is_told_why_there_is_no_answer(reply: str, why: str) -> None:
    model = Scripted([reply, GOOD])
    assert (await go(model, "program")).answer == "42"
    told = model.requests[1].messages[-1].content
    assert told.startswith(f"This program gives no answer: {why}\n")


async def test_a_recorded_program_is_not_run_again(tmp_path: Path) -> None:
    journal, first, again = Journal(tmp_path / "runs.sqlite"), Printing(), Printing()
    name = journal.create({})
    result = await go(Scripted([BAD, GOOD]), "program", journal=journal, run=name,
                      sandbox=first.here)  # fmt: skip
    assert first.ran == ["print(nothing)", "print(42)"]
    replayed = await go(Scripted([]), "program", journal=journal, run=name, sandbox=again.here)
    assert again.ran == []
    assert replayed.candidates == result.candidates
    tree = history.tree(PROBLEM, journal.calls(name), journal.decisions(name))
    assert [(n.id, n.parent, n.trace.answer is None) for n in tree.nodes.values() if n.id] == [
        ("1", "", True), ("3", "1", False),
    ]  # fmt: skip
    journal.close()


async def test_time_that_ends_while_a_program_runs_ends_the_run() -> None:
    class Slow(Printing):
        async def feed(self, program: object, inputs: object) -> list[Output]:
            await asyncio.Event().wait()
            raise AssertionError

    result = await go(
        Scripted([GOOD, "42}"]), "program", sandbox=Slow().here, budget=Budget(seconds=0.05)
    )
    assert (result.answer, result.stopped_by) == (None, "seconds")


async def test_a_run_without_a_sandbox_is_refused() -> None:
    async def none() -> Sandbox:
        raise UsageError("there is none.")

    with pytest.raises(UsageError, match="there is none"):
        await go(Scripted([GOOD]), "program", sandbox=none)


def test_without_a_sandbox_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Sandboxes, *args: object, **options: object) -> Sandbox:
        raise UsageError("no sandbox works here.")

    monkeypatch.setattr(Sandboxes, "find", none)
    model = Scripted([GOOD] * 3)
    for name, knobs in (("program", {}), ("mixture", {"strategies": "direct, program"})):
        with pytest.raises(UsageError, match="no sandbox works here"):
            ponder.solve("How many?", model=model, strategy=name, knobs=knobs, journal=False)
    assert ponder.solve("How many?", model=model, strategy="direct", journal=False)
    assert len(model.requests) == 1


@pytest.mark.parametrize("name", ["program", "mixture"])
def test_a_question_for_code_is_refused(name: str) -> None:
    knobs = {"strategies": "direct, program"} if name == "mixture" else {}
    with pytest.raises(UsageError) as error:
        ponder.solve(
            "Write a function that adds.", model=Scripted([]), strategy=name, knobs=knobs,
            journal=False,
        )  # fmt: skip
    assert str(error.value) == (
        "strategy 'program' cannot give an answer of the type 'code': take another strategy, such "
        "as direct or best_of_n."
    )


@pytest.mark.parametrize(
    ("kind", "more", "what"),
    [
        ("math", {}, "computes the answer and"),
        ("choice", {"choices": ("A", "B")}, "the label of the right option, one of A, B, and"),
        ("json", {"schema": '{"type": "array"}'}, 'that satisfies this schema: {"type": "array"} '),
    ],
)
async def test_the_program_is_asked_for_what_the_problem_wants(
    kind: str, more: dict[str, object], what: str
) -> None:
    asked = replace(PROBLEM, answer_type=kind, instruction="In short.", **more)  # type: ignore[arg-type]
    model = Scripted([GOOD])
    await go(model, "program", problem=asked, knobs={"repairs": 0})
    said = model.requests[0].messages[-1].content
    assert what in said
    assert "In short." not in said


# In a real sandbox --------------------------------------------------------------------------------


def written(source: str, kind: str = "number") -> object:
    asked = Problem((Message("user", "?"),), kind)  # type: ignore[arg-type]
    return trace(0, text=FENCED.format(source), problem=asked)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("a = 6\nprint(a * 7)", "42"),
        ("def f():\n    return 0.1 + 0.2\n```\nand then\n```python\nprint(f())", "0.3"),
        ("print('Total:', 1234, 'dollars')", "1234"),
    ],
)
async def test_a_sandbox_runs_it(name: str, source: str, answer: str) -> None:
    reader = Reader()
    ran = await run(written(source), sandbox(name), reader.read)  # type: ignore[arg-type]
    reader.close()
    assert ran.answer is not None
    assert (ran.answer.text, ran.why) == (answer, "")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x = 1\nprint(x / 0)", "line 2, `print(x / 0)`: ZeroDivisionError: division by zero"),
        ("print(", "SyntaxError: '(' was never closed"),
        ("import numpy", "line 1, `import numpy`: ModuleNotFoundError: No module named 'numpy'"),
        ("raise SystemExit(3)", "it did not come to its end"),
        ("import sys\nsys.exit('no way')", "no way"),
    ],
)
async def test_the_sandbox_says_why_it_failed(source: str, why: str) -> None:
    reader = Reader()
    ran: Ran = await run(written(source), sandbox("bubblewrap"), reader.read)  # type: ignore[arg-type]
    assert ran.answer is None
    assert ran.why.endswith(why)


async def test_sympy_is_there() -> None:
    sandbox("bubblewrap")  # skips the test where it is missing
    reader = Reader()
    source = "from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 8 + 6*0, x)[1])"
    ran = await run(written(source, "math"), await Tools().calculator(), reader.read)  # type: ignore[arg-type]
    expected = await reader.read(r"\boxed{2\sqrt{2}}", written(source, "math").problem, False)  # type: ignore[attr-defined]
    reader.close()
    assert ran.answer is not None
    assert expected is not None
    assert ran.answer.key == expected.key


async def test_monty_says_it_too() -> None:
    reader = Reader()
    ran: Ran = await run(written("print(1 / 0)"), sandbox("monty"), reader.read)  # type: ignore[arg-type]
    assert ran == Ran(None, "", "ZeroDivisionError: division by zero")


# Votes across texts and programs ------------------------------------------------------------------


def text(answer: int) -> str:
    return f"It is \\boxed{{{answer}}}."


@pytest.mark.parametrize(("pick", "answer"), [("vote", "7"), ("agreement", "8")])
async def test_texts_and_programs_vote(pick: str, answer: str) -> None:
    """Four texts say 7, one text and two programs 8, one program nothing that can be mended."""
    replies = {
        0: [text(7), text(7), text(7), text(7)],
        1: [FENCED.format("print(8)")] * 2 + [BAD] * 2,
    }
    texts = iter([*replies[0], text(8)])
    programs = iter([*replies[1], BAD, BAD, FENCED.format("print(9)"), FENCED.format("print(9)")])

    def said(request: Request) -> str:
        return next(programs if "Python program" in request.messages[0].content else texts)

    result = await go(
        Scripted(said), "mixture", knobs={"strategies": "direct, program", "n": 5, "pick": pick}
    )
    assert result.answer == answer


async def test_programs_alone_vote() -> None:
    printed = iter([8, 7, 8])
    model = Scripted(lambda request: FENCED.format(f"print({next(printed)})"))
    result = await go(model, "mixture", knobs={"strategies": "program", "n": 3})
    assert result.answer == "8"
    assert result.confidence == pytest.approx(2 / 3)


async def test_a_lost_program_is_a_sample_without_an_answer() -> None:
    model = Scripted([MalformedReply("no reply"), GOOD])
    result = await go(model, "mixture", knobs={"strategies": "program", "n": 2})
    assert (result.answer, result.silent) == ("42", 1)
    assert result.lost.startswith("1 sample was lost")


# In the views -------------------------------------------------------------------------------------


def test_a_run_is_shown_with_its_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needed("program")
    path = tmp_path / "runs.sqlite"
    result = ponder.solve(
        "How many is 6 times 7?", model=Scripted([BAD, GOOD]), strategy="program", journal=path
    )
    assert result.run is not None
    code, out, _ = command(capsys, "runs", "show", result.run, "--journal", str(path))
    assert code == 0
    rows = [line.split(maxsplit=2) for line in out.splitlines()]
    shown = [row for row in rows if row and row[0] in ("0", "1", "2", "3")]
    assert [row[1] for row in shown] == ["generate", "execute"] * 2
    told = ["a program", "is not …)", "a program", "42"]
    for row, end in zip(shown, told, strict=True):
        assert row[2].rstrip().endswith(end)

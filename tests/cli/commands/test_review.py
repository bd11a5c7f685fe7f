"""``ponder review``: a person's commands, what is shown, and what becomes of it."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ponder.cli.commands.review import Desk, Review
from ponder.cli.output.terminal import VisibleConsole
from ponder.core.problem import Message, Problem
from ponder.verifiers.human.verifier import Item, Judgement, Queue, item
from tests.support.commands import ponder
from tests.support.jobs import trace
from tests.support.recording import lines

Capture = pytest.CaptureFixture[str]

ANSWERS = ("x", "y", "x")


def asked(queue: Queue, answers: Sequence[str | None] = ANSWERS, question: str = "Why?") -> Item:
    problem = Problem((Message("user", question),))
    found = item(problem, [trace(i, a, text=f"text {i}", tokens=7) for i, a in enumerate(answers)])
    queue.ask(found)
    return found


@pytest.fixture
def queue() -> Queue:
    return Queue()


def review(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, said: str, *more: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    return ponder(capsys, "review", *more)


SAID = {
    "1\n": ("choice", (1.0, 0.0, 1.0), ""),
    "2\n": ("choice", (0.0, 1.0, 0.0), ""),
    "n\n": ("none", (0.0, 0.0, 0.0), ""),
    "g 5 2\n": ("grades", (1.0, 0.25, 1.0), ""),
    "g\n5\n2\n": ("grades", (1.0, 0.25, 1.0), ""),
    "c because\n2\n": ("choice", (0.0, 1.0, 0.0), "because"),
    "c\nbecause of that\nN\n": ("none", (0.0, 0.0, 0.0), "because of that"),
    "\nwhat\n3\n1 2\ng 5\ng 0 1\ng 6 6\n2\n": ("choice", (0.0, 1.0, 0.0), ""),
}


@pytest.mark.parametrize("said", SAID)
def test_a_judgement(
    said: str, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    waiting = asked(queue)
    code, out, err = review(monkeypatch, capsys, said)
    assert (code, err) == (0, "judged 1\n")
    assert "Why?" in out
    assert "2 with this answer" in out
    found = queue.judgement(waiting.key)
    assert found is not None
    assert (found.how, found.scores, found.comment) == SAID[said]
    assert found.at > 0
    assert out.count("not understood") == (3 if "what" in said else 0)
    assert out.count("expected 2 grades from 1 to 5") == (3 if "what" in said else 0)


@pytest.mark.parametrize("said", ["s\n", "q\n", "", "c only a comment\n"])
def test_no_judgement(
    said: str, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    asked(queue)
    code, _, err = review(monkeypatch, capsys, said)
    assert (code, err) == (0, "judged 0\n")
    assert len(queue.waiting()) == 1


@pytest.mark.parametrize("said", ["g 9 9 9\n", "what\ns\n"])
def test_a_script_hears_that_nothing_was_understood(
    said: str, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    asked(queue)
    code, _, err = review(monkeypatch, capsys, said)
    assert code == 2
    assert err == (
        "ponder: nothing was judged, and 1 line of standard input not understood: 'ponder review "
        "--help' has the commands.\n"
    )


def test_item_after_item(queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    items = [asked(queue, question=f"Question {i}?") for i in range(3)]
    code, out, err = review(monkeypatch, capsys, "2\ns\n1\n")
    assert (code, err) == (0, "judged 2\n")
    assert out.index("Question 0?") < out.index("Question 1?") < out.index("Question 2?")
    assert [i.key for i in queue.waiting()] == [items[1].key]


def test_somebody_else_was_quicker(queue: Queue, capsys: Capture) -> None:
    waiting = asked(queue)

    class Slow(Desk):
        def line(self, prompt: str) -> str:
            queue.judge(waiting.key, Judgement("none", (0.0, 0.0, 0.0)))
            return "1"

    desk = Slow()
    desk.terminal = False
    Review(queue, desk).go(once=True)
    out, err = capsys.readouterr()
    assert "somebody else has judged it meanwhile" in out
    assert err == "judged 0\n"


def test_a_terminal_takes_keys_and_waits_for_more(queue: Queue, capsys: Capture) -> None:
    keys = iter("2q")
    asked(queue, question="First?")

    class Keys(Desk):
        def command(self, prompt: str, *, keys: bool) -> str:
            assert keys
            return next(pressed)

    pressed, desk, pauses = keys, Keys(), 0
    desk.terminal = True

    def pause() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 2:
            asked(queue, question="Second?")

    Review(queue, desk, pause).go(once=False)
    out, err = capsys.readouterr()
    assert out.count("nothing waits; looking again") == 1
    assert out.index("First?") < out.index("nothing waits") < out.index("Second?")
    assert err == "judged 1\n"
    assert pauses == 2


def test_single_keys_are_commands(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    waiting = asked(queue)
    keys = iter(["\r", "\x1b[A", "c", "g", "5", "2"])
    monkeypatch.setattr("click.getchar", lambda: next(keys))
    monkeypatch.setattr(sys, "stdin", Terminal("because of that\n"))
    code, out, err = ponder(capsys, "review", "--once")
    assert (code, err) == (0, "judged 1\n")
    assert "1 to 2 the best, g grade, n none, c comment, s skip, q quit> " in out
    assert "not understood: \\x1b[A\n" in out
    found = queue.judgement(waiting.key)
    assert found is not None
    assert (found.scores, found.comment) == ((1.0, 0.25, 1.0), "because of that")


@pytest.mark.parametrize("key", ["q", "\x04"])
def test_a_key_to_quit(
    key: str, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    asked(queue)
    monkeypatch.setattr("click.getchar", lambda: key)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    code, _, err = ponder(capsys, "review")
    assert (code, err) == (0, "judged 0\n")


def shown(found: Item, width: int) -> str:
    out = io.StringIO()

    class Quits(Desk):
        def command(self, prompt: str, *, keys: bool) -> str:
            raise EOFError

    queue = Queue()
    queue.ask(found)
    console = VisibleConsole(file=out, width=width)
    Review(queue, Quits(), console=console).go(once=True)
    return out.getvalue()


def test_candidates_stand_side_by_side_where_there_is_room(queue: Queue) -> None:
    found = asked(queue, ("x", "y", None))
    [wide] = [line for line in shown(found, 160).splitlines() if "text 0" in line]
    assert "text 1" in wide
    assert "text 2" in wide
    narrow = shown(found, 60)
    assert all(line.count("text") <= 1 for line in narrow.splitlines())
    assert "[1] x  (7 tokens)" in narrow
    assert "[3] no answer  (7 tokens)" in narrow


def test_a_terminal_does_not_obey_what_a_model_wrote(queue: Queue) -> None:
    problem = Problem((Message("user", "\x1b[31mWhy?\udc80"),))
    hostile = trace(0, "\x1b]0;title\x07", text="[bold]a[/] \x1b[2J\u202eb\rc")
    out = shown(item(problem, [hostile]), 80)
    assert not set("\x1b\x07\r\u202e\udc80") & set(out)
    assert "[bold]a[/] \\x1b[2J\\u202eb\\rc" in out


def test_a_run_that_does_not_wait_any_more(queue: Queue) -> None:
    found = asked(queue)
    queue.leave(found.key)
    out = io.StringIO()
    desk = Desk()
    desk.terminal = False
    desk.line = lambda prompt: "q"  # type: ignore[method-assign]
    Review(queue, desk, console=VisibleConsole(file=out, width=80)).go(once=True)
    assert "3 candidates, waiting for 0 s; no run waits for it any more" in out.getvalue()


# Listing and exporting ----------------------------------------------------------------------------


def test_list(queue: Queue, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "review", "--list")
    assert (code, out) == (0, "")
    assert "nothing waits" in err
    found = asked(queue)
    queue.leave(asked(queue, question="Who?").key)
    code, out, _ = ponder(capsys, "review", "--list")
    assert [line.split()[3] for line in out.splitlines()[1:]] == ["yes", "not"]
    code, out, _ = ponder(capsys, "review", "--list", "--json")
    first, second = json.loads(out)
    assert (first["item"], first["waits"], second["waits"]) == (found.key, True, False)
    assert first["question"] == "Why?"
    assert [c["answer"] for c in first["candidates"]] == list(ANSWERS)


def test_what_no_run_waits_for_can_be_dropped(queue: Queue, capsys: Capture) -> None:
    waiting, left, lost, said = (asked(queue, question=f"{i}?") for i in range(4))
    for one in (left, said):
        queue.leave(one.key)
    queue.judge(said.key, Judgement("none", (0.0,) * len(said.candidates)))
    with sqlite3.connect(queue.path) as file:  # a process of another machine is gone
        file.execute("update items set worker = '1@nowhere' where key = ?", (lost.key,))
    file.close()
    assert ponder(capsys, "review", "--drop") == (0, "", "dropped 2\n")
    assert [one.key for one in queue.waiting()] == [waiting.key]
    assert [one.key for one, _ in queue.judged()] == [said.key]
    assert ponder(capsys, "review", "--drop") == (0, "", "dropped 0\n")


def test_judgements_are_a_pool_to_learn_from(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    for i in range(12):
        asked(queue, ("x", "y", "x", None), question=f"Question {i}?")
    said = "1\n2\nc why\ng 4 3 1\nn\n" * 3
    assert review(monkeypatch, capsys, said)[2] == "judged 12\n"
    code, _, err = ponder(capsys, "review", "--export", "p.jsonl")
    assert (code, err) == (0, "wrote p.jsonl: 12 problems, 48 samples\n")
    header, *problems = lines(tmp_path / "p.jsonl")
    assert header == {"pool": 1, "labels": "ponder review"}
    labels = [[s["correct"] for s in problem["samples"]] for problem in problems[:4]]
    assert labels == [
        [True, False, True, False], [False, True, False, False],
        [True, False, True, False], [False, False, False, False],
    ]  # fmt: skip
    assert problems[2]["comment"] == "why"
    assert problems[2]["question"] == "Question 2?"
    assert ponder(capsys, "verifier", "train", "p.jsonl", "-o", "v.json", "-q")[0] == 0
    assert json.loads((tmp_path / "v.json").read_text())["features"] == ["agreement"]


BAD = {
    "--json": "--json says nothing without --list",
    "--force --list": "--force says nothing without --export",
    "--once --list": "--once and --list, --drop or --export exclude each other",
    "--list --export p": "--list, --drop and --export exclude each other",
    "--drop --list": "--list, --drop and --export exclude each other",
    "--export p": "nothing was judged yet",
    "--export here": "here exists: choose another name, or say --force",
    "--queue q --export q --force": "q is what is read: give the output another name.",
    "--export no/p": "cannot write no/p: there is no folder no.",
    "--queue here --list": "cannot open the queue here",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_sentence(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("a text, not a database" * 20)
    code, out, err = ponder(capsys, "review", *arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert BAD[arguments] in err


def test_the_command_in_a_process_of_its_own(queue: Queue) -> None:
    waiting = asked(queue)
    done = subprocess.run(
        [sys.executable, "-m", "ponder", "review"],
        input="g 1 5\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "judged 1\n")
    found = queue.judgement(waiting.key)
    assert found is not None
    assert found.scores == (0.0, 1.0, 0.0)

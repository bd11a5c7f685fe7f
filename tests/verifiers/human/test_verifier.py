"""A person as a verifier: the queue, the wait, the time-out, and what a resumed run finds."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder import api
from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.trace import Trace
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.verifiers import registry
from ponder.verifiers.human.verifier import Human, Item, Judgement, Queue, item, queue_path
from tests.support import virtual
from tests.support.jobs import PROBLEM, ByText, job, trace

REPLIES = ["so \\boxed{1}", "so \\boxed{2}", "hence \\boxed{2}", "no idea"]


async def go(
    human: Human,
    journal: Journal | None = None,
    run: str = "",
    replies: list[str] = REPLIES,
    **changes: Any,
) -> Result:
    verifiers: dict[str, Any] = {"human": human, "by_text": ByText({"1": 0.9, "2": 0.4})}
    fields = {"knobs": {"n": 4}, "verifiers": verifiers, "verifier": "human", **changes}
    return await Runner(
        job(Scripted(replies), "best_of_n", **fields), journal=journal, run=run
    ).go()


def answering(queue: Queue, said: Judgement | Callable[[Item], Judgement]) -> Any:
    """A pause in which somebody judges what waits."""

    async def pause(seconds: float) -> None:
        for waiting in queue.waiting():
            queue.judge(waiting.key, said if isinstance(said, Judgement) else said(waiting))

    return pause


CHOICE = Judgement("choice", (0.0, 1.0, 1.0, 0.0), "it is even", "ada", 5.0)


# The queue ----------------------------------------------------------------------------------------


def test_what_is_put_in_comes_out(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite")
    asked = item(PROBLEM, [trace(0, "a", tokens=5, logprobs=(0.0, 0.0)), trace(1, None)])
    queue.ask(asked)
    [waiting] = queue.waiting()
    assert replace(waiting, created=0.0) == asked
    assert waiting.candidates[0].scores == {"mean_logprob": 1.0}
    assert queue.judgement(asked.key) is None
    said = Judgement("grades", (0.25, 1.0), "why", "ada", 5.0)
    assert queue.judge(asked.key, said)
    assert not queue.judge(asked.key, CHOICE)  # somebody was quicker
    assert queue.judgement(asked.key) == said
    assert queue.waiting() == []
    assert queue.judged() == [(waiting, said)]


def test_an_item_is_known_by_problem_texts_and_places() -> None:
    def key(*traces: Trace, problem: Any = PROBLEM) -> str:
        return item(problem, traces).key

    one, two = trace(0, "a"), trace(1, "b")
    others = [
        key(one), key(two, one),
        key(one, replace(two, text="other")), key(one, replace(two, id="7")),
        key(one, two, problem=replace(PROBLEM, answer_type="text")),
    ]  # fmt: skip
    assert key(one, two) == key(replace(one, tokens=9), two)
    assert len({key(one, two), *others}) == 6


def test_what_a_run_waits_for_comes_first(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite")
    asked = [item(PROBLEM, [trace(i, "a")]) for i in range(3)]
    for one in asked:
        queue.ask(one)
    queue.leave(asked[0].key)
    assert [i.key for i in queue.waiting()] == [asked[k].key for k in (1, 2, 0)]
    queue.ask(asked[0])
    assert [i.key for i in queue.waiting()] == [one.key for one in asked]


def test_candidates_of_one_answer_are_a_group() -> None:
    asked = item(PROBLEM, [trace(i, a) for i, a in enumerate(["x", None, "y", "x", None])])
    assert asked.groups == [[0, 3], [1], [2], [4]]


def test_the_queue_is_beside_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert queue_path() == api.journal_path().with_name("reviews.sqlite")
    monkeypatch.delenv("PONDER_HOME")
    assert queue_path() == api.journal_path().with_name("reviews.sqlite")


def test_questions_are_private(tmp_path: Path) -> None:
    path = Queue(tmp_path / "new" / "q.sqlite").path
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_queue(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but a text of some length" * 10)
    with pytest.raises(UsageError, match="cannot open the queue"):
        Queue(tmp_path / "text")
    later = tmp_path / "later.sqlite"
    with sqlite3.connect(later) as db:
        db.execute("pragma user_version = 3")
    db.close()
    with pytest.raises(UsageError, match="has format 3, this Ponder reads 2"):
        Queue(later)


# The wait -----------------------------------------------------------------------------------------


async def test_a_run_waits_for_a_person(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite")
    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    human = Human(queue=queue.path, pause=answering(queue, CHOICE))
    result = await go(human, journal, run)
    assert result.answer == "2"
    [verified] = [row for row in journal.calls(run) if row.effect["effect"] == "verify"]
    assert [score["value"] for score in verified.result] == [0.0, 1.0, 1.0, 0.0]
    assert [score["verdict"] for score in verified.result] == ["fail", "pass", "pass", "fail"]
    assert {score["detail"] for score in verified.result} == {"chosen by ada: it is even"}
    [(judged, _)] = queue.judged()
    assert not judged.waits
    assert judged.question == "What is six times seven ?"
    journal.close()


async def test_a_second_process_answers(tmp_path: Path) -> None:
    """The run waits; ``ponder review`` in another process is told by lines what to say."""
    queue = Queue()

    async def pause(seconds: float) -> None:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "ponder", "review"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        out, _ = await process.communicate(b"c it is the only even one\n2\n")
        assert process.returncode == 0
        assert b"What is six times seven ?" in out

    result = await go(Human(pause=pause))
    assert result.answer == "2"
    [(_, said)] = queue.judged()
    assert (said.how, said.scores) == ("choice", (0.0, 1.0, 1.0, 0.0))
    assert said.comment == "it is the only even one"


async def test_a_resumed_run_finds_what_was_said_meanwhile(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite")
    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    waits = asyncio.Event()

    async def for_ever(seconds: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    cut = asyncio.ensure_future(go(Human(queue=queue.path, pause=for_ever), journal, run))
    await waits.wait()
    [waiting] = queue.waiting()
    assert waiting.waits
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    [waiting] = queue.waiting()
    assert not waiting.waits  # it can be judged all the same
    queue.judge(waiting.key, CHOICE)

    async def never(seconds: float) -> None:
        raise AssertionError("the judgement is there")

    result = await go(Human(queue=queue.path, pause=never), journal, run, replies=[])
    assert result.answer == "2"
    assert result.receipt.total.calls == 4
    journal.close()


def test_a_run_whose_process_is_gone_does_not_wait(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite")
    asked = [Item(key, "Why?", "text", ()) for key in ("a", "b")]
    for one in asked:
        queue.ask(one)
    with sqlite3.connect(queue.path) as file:  # a process of another machine is gone
        file.execute("update items set worker = '1@nowhere' where key = 'a'")
    file.close()
    assert [(one.key, one.waits) for one in queue.waiting()] == [("b", True), ("a", False)]
    queue.ask(asked[0])  # its run is resumed
    assert [(one.key, one.waits) for one in queue.waiting()] == [("a", True), ("b", True)]


def test_nobody_comes_and_the_fallback_is_asked(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite")
    human = Human("human", 600.0, "by_text", (ByText({}),), queue.path)

    async def timed() -> tuple[Result, float]:
        result = await go(human)
        return result, asyncio.get_running_loop().time()

    result, seconds = virtual.run(timed())
    assert result.answer == "1"
    assert seconds == pytest.approx(600)
    assert {c.answer: c.score for c in result.candidates} == {"1": 0.9, "2": 0.4, None: None}
    [waiting] = queue.waiting()
    assert not waiting.waits


def test_nobody_comes_and_there_is_no_fallback(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    result = virtual.run(go(Human("human", 60.0, queue=path), journal, run))
    assert result.answer == "2"  # the samples vote
    [verified] = [row for row in journal.calls(run) if row.effect["effect"] == "verify"]
    assert {score["verdict"] for score in verified.result} == {"abstain"}
    assert {score["detail"] for score in verified.result} == {"nobody judged it within 60 s"}
    journal.close()


def test_the_runs_deadline_holds_while_it_waits(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"

    async def timed() -> tuple[Result, float]:
        result = await go(Human(queue=path), budget=Budget(seconds=30.0))
        return result, asyncio.get_running_loop().time()

    result, seconds = virtual.run(timed())
    assert (result.stopped_by, result.answer) == ("seconds", "2")  # by a vote: nothing was chosen
    assert seconds == pytest.approx(30)
    assert not Queue(path).waiting()[0].waits


# Its name -----------------------------------------------------------------------------------------


def test_names() -> None:
    assert registry.find("human") == Human()
    made = registry.find("human(90, mean_logprob)")
    assert isinstance(made, Human)
    assert (made.name, made.seconds, made.asks) == (
        "human(90, mean_logprob)",
        90.0,
        ("mean_logprob",),
    )
    assert (made.listwise, made.needs_logprobs, made.models) == (True, True, ())
    assert list(registry.known("human(90, lowest_group)")) == [
        "mean_logprob", "human(90, lowest_group)", "lowest_group",
    ]  # fmt: skip


BAD = {
    "human:soon": "expected the seconds to wait, such as human(600), not 'soon'",
    "human(0)": "expected the seconds to wait",
    "human:inf": "expected the seconds to wait",
    "human(5,)": "at ')': expected a name",
    "human(5, nobody)": "unknown verifier 'nobody'",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        registry.find(name)
    assert BAD[name] in str(refused.value)


def test_another_programs_database_is_no_queue(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table outcomes (x)")
    with pytest.raises(UsageError, match="it is not a queue, or is damaged; name another file"):
        Queue(path)
    with closing(sqlite3.connect(path)) as db:
        assert [row[0] for row in db.execute("select name from sqlite_master")] == ["outcomes"]

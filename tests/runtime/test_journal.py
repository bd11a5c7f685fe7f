"""The journal as a file: what it keeps, who shares it, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sqlite3
import stat
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.answer import Answer
from ponder.core.errors import PonderError, UsageError
from ponder.core.record.effects import Call, Effect, Execute, Result, Steer, Verify
from ponder.core.record.events import Steered
from ponder.core.record.steering import Action
from ponder.core.trace import Ran, Score, Trace
from ponder.runtime.journal import Journal
from ponder.runtime.records import pack, read_rows, unpack
from ponder.runtime.tables import VERSION
from ponder.util.decoding import Malformed
from tests.support.fuzzing.journal import GENERATED
from tests.support.jobs import PROBLEM, trace
from tests.support.journals import GENERATE, ITEM, START, note
from tests.support.virtual import run

TOTAL = {name: v for name, v in ITEM.to_json().items() if name not in ("role", "model")}
ENDED = {"answer": "42", "stopped_by": "done", "confidence": None, "receipt": {"total": TOTAL}}


def test_rows_come_back_as_they_were_noted_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    name = journal.create({"a": 1})
    note(journal, name, 1, None, "no answer")
    note(journal, name, 0, trace(0, "42"))
    journal.close()
    again = Journal(tmp_path / "runs.sqlite")
    first, second = again.calls(name)
    assert (first.seq, first.path, first.lost) == (0, "0", None)
    assert first.effect == GENERATE.describe()
    assert unpack(first.result, GENERATE) == trace(0, "42")
    assert first.spent == second.spent == ITEM
    assert (second.seq, second.result, second.lost) == (1, None, "no answer")
    again.close()


texts = st.text(st.characters(), max_size=20)
paths = st.lists(st.integers(0, 999), min_size=1, max_size=3).map(
    lambda path: ".".join(map(str, path))
)
answers = st.one_of(st.none(), st.builds(Answer, texts, texts))
traces = st.builds(
    Trace,
    st.just(PROBLEM),
    texts,
    st.integers(0, 10**6),
    st.sampled_from(["stop", "length", None]),
    answers,
    st.one_of(st.none(), st.lists(st.floats(-1e9, 0), max_size=4).map(tuple)),
    paths,
    st.just(""),
)
scores = st.builds(Score, st.one_of(st.none(), st.floats(0, 1)), texts, texts)


actions = st.one_of(
    st.builds(lambda text: Action("hint", text=text), texts.filter(str.strip)),
    st.builds(lambda node, n: Action("more", node, count=n), texts, st.integers(1, 9)),
    st.builds(lambda by: Action("pause", by=by), texts),
)


@given(
    traces,
    st.lists(scores, max_size=3),
    st.lists(actions, max_size=3),
    st.builds(Ran, answers, texts, texts),
)
def test_every_result_survives_the_file(
    grown: Trace, scored: list[Score], steered: list[Action], ran: Ran
) -> None:
    cases: list[tuple[Effect, Result]] = [
        (GENERATE, grown),
        (Verify((START,) * len(scored), "v"), tuple(scored)),
        (Steer((START,)), tuple(steered)),
        (Execute(START), ran),
    ]
    journal = Journal(":memory:")
    name = journal.create({})
    for seq, (effect, result) in enumerate(cases):
        journal.note(name, seq, Call(str(seq), effect), effect, result, None)
    journal.flush()
    for row, (effect, result) in zip(journal.calls(name), cases, strict=True):
        assert unpack(row.result, effect) == result
        assert row.spent is None
    journal.close()


def test_alternatives_are_kept_where_there_are_any() -> None:
    plain, rich = trace(0, "42"), trace(0, "42", top=({"4": -0.5, "5": -1.0}, {"2": -0.25}))
    assert "top" not in pack(plain)
    again = unpack(json.loads(json.dumps(pack(rich))), GENERATE)
    assert isinstance(again, Trace)
    assert again.top == rich.top
    assert "top=" not in repr(rich)


def test_steering_nothing_is_answered_with_nothing() -> None:
    assert unpack(pack(()), Steer(())) == ()


def test_runs_of_one_second_have_ids_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(":memory:")
    monkeypatch.setattr("ponder.runtime.journal.time.strftime", lambda form: "20261128-120000-")
    drawn = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr("ponder.runtime.journal.secrets.token_hex", lambda n: next(drawn))
    first, second = journal.create({"n": 1}), journal.create({"n": 2})
    assert (first[-6:], second[-6:]) == ("aaaaaa", "bbbbbb")
    assert journal.run(first).spec == {"n": 1}
    assert journal.run(second).spec == {"n": 2}
    journal.close()


def test_runs_are_listed_newest_first_and_found_by_an_unambiguous_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = Journal(":memory:")
    seconds = iter([1.0, 2.0])
    monkeypatch.setattr("ponder.runtime.journal.time.time", lambda: next(seconds))
    older, newer = journal.create({"n": 1}), journal.create({"n": 2})
    assert [(r.id, r.created) for r in journal.runs()] == [(newer, 2.0), (older, 1.0)]
    assert journal.run(newer).spec == {"n": 2}
    assert journal.run(older[:-1]).id == older
    assert journal.run(older).state == "running"
    for ambiguous, how_many in [(older[:4], "2 runs"), ("", "no run"), ("%", "no run")]:
        with pytest.raises(UsageError, match=f"^{how_many} with an ID that starts with"):
            journal.run(ambiguous)
    journal.close()


def test_a_new_run_commits_nothing_of_others_and_its_end_commits_all(tmp_path: Path) -> None:
    journal, reader = (Journal(tmp_path / "runs.sqlite") for _ in range(2))
    running, new = journal.create({}), journal.create({})
    note(journal, running, 0, trace(0))
    assert journal.calls(new) == []
    assert reader.calls(running) == []  # it is durable once it is waited for, and was not yet
    note(journal, new, 0, trace(0))
    journal.finish(new, "done", None)
    assert [len(reader.calls(run)) for run in (running, new)] == [1, 1]
    note(journal, again := journal.create({}), 0, trace(0))
    assert len(journal.calls(again)) == 1
    for one in (journal, reader):
        one.close()


def test_a_run_is_closed_with_its_result_and_forgotten_with_its_calls() -> None:
    journal = Journal(":memory:")
    kept, gone = journal.create({}), journal.create({})
    for name in (kept, gone):
        note(journal, name, 0, trace(0))
        journal.finish(name, "done", ENDED)
    assert (journal.run(kept).state, journal.run(kept).result) == ("done", ENDED)
    journal.remove(gone)
    assert journal.calls(gone) == []
    assert len(journal.calls(kept)) == 1
    assert [r.id for r in journal.runs()] == [kept]
    journal.close()


def test_settled_returns_once_the_rows_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"

    async def main() -> None:
        journal, other = Journal(path), Journal(path)
        name = journal.create({})
        note(journal, name, 0, trace(0))
        assert other.calls(name) == []
        await journal.settled()
        assert len(other.calls(name)) == 1
        journal.close()
        other.close()

    run(main())


def test_rows_of_one_turn_share_one_commit(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "runs.sqlite")
        name = journal.create({})
        statements: list[str] = []
        journal._db.set_trace_callback(statements.append)

        async def sample(seq: int) -> None:
            note(journal, name, seq, trace(seq))
            await journal.settled()

        await asyncio.gather(*[sample(seq) for seq in range(8)])
        assert [s.lower() for s in statements].count("commit") == 1
        assert len(journal.calls(name)) == 8
        await sample(8)
        assert [s.lower() for s in statements].count("commit") == 2
        journal.close()

    run(main())


def test_one_who_no_longer_waits_does_not_keep_the_others_from_their_commit() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        note(journal, name, 0, trace(0))
        gone = asyncio.ensure_future(journal.settled())
        note(journal, name, 1, trace(1))
        stays = asyncio.ensure_future(journal.settled())
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        assert len(journal.calls(name)) == 2
        journal.close()

    run(main())


def test_the_file_and_what_is_in_it_are_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "runs.sqlite"
    journal = Journal(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    journal.close()


WRITER = """
import sys
from ponder.runtime.journal import Journal
sys.path.insert(0, sys.argv[3])
from tests.support.journals import note
from tests.support.jobs import trace
journal = Journal(sys.argv[1])
name = journal.create({"writer": sys.argv[2]})
for seq in range(60):
    note(journal, name, seq, trace(seq))
    journal.flush()
journal.finish(name, "done", None)
journal.close()
"""


def test_several_processes_write_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-W", "error", "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, str(i), root]) for i in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    journal = Journal(path)
    assert sorted(r.spec["writer"] for r in journal.runs()) == ["0", "1", "2"]
    assert all(len(journal.calls(r.id)) == 60 for r in journal.runs())
    journal.close()


def one_sentence(error: pytest.ExceptionInfo[BaseException]) -> bool:
    text = str(error.value)
    return "\n" not in text and text.endswith(".") and "Traceback" not in text


def test_a_file_that_is_no_journal_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    path.write_bytes(b"this is not a database, but long enough to be taken for one" * 99)
    with pytest.raises(UsageError, match=r"cannot open the journal .*--journal") as error:
        Journal(path)
    assert one_sentence(error)
    assert path.read_bytes().startswith(b"this is not")


def test_a_folder_in_place_of_the_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot open the journal") as error:
        Journal(tmp_path)
    assert one_sentence(error)


def test_a_file_in_place_of_the_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot open the journal") as error:
        Journal(tmp_path / "file" / "runs.sqlite")
    assert one_sentence(error)


def test_a_journal_of_a_newer_format_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    newer = sqlite3.connect(path)
    newer.execute(f"pragma user_version={VERSION + 1}")
    newer.execute("create table what_is_new (x)")
    newer.commit()
    newer.close()
    before = path.read_bytes()
    sentence = f"has format {VERSION + 1}, this Ponder reads {VERSION}"
    with pytest.raises(UsageError, match=sentence) as error:
        Journal(path)
    assert one_sentence(error)
    assert path.read_bytes() == before


def spoil(journal: Journal) -> None:
    """From now on the file takes no more writes."""
    journal._db.execute("pragma query_only=1")


def test_a_disk_that_takes_no_more_is_told_in_one_sentence_wherever_it_shows(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    name = journal.create({})
    spoil(journal)
    note(journal, name, 0, trace(0))
    with pytest.raises(PonderError, match="the journal cannot be written") as error:
        journal.flush()
    assert one_sentence(error)
    for attempt in (
        lambda: journal.create({}),
        lambda: journal.finish(name, "done", None),
        lambda: journal.remove(name),
    ):
        with pytest.raises(PonderError, match="the journal cannot be") as error:
            attempt()
        assert one_sentence(error)
    journal.close()


def test_a_failed_commit_leaves_nothing_half_done(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    name = journal.create({})
    note(journal, name, 0, trace(0))
    journal.flush()
    note(journal, name, 1, trace(1))
    note(journal, name, 0, trace(0))  # a second process resumed the same run
    with pytest.raises(PonderError, match="the journal cannot be written"):
        journal.flush()
    assert [row.seq for row in journal.calls(name)] == [0]
    note(journal, name, 1, trace(1))
    journal.finish(name, "done", None)
    journal.close()
    again = Journal(tmp_path / "runs.sqlite")
    assert again.run(name).state == "done"
    assert [row.seq for row in again.calls(name)] == [0, 1]
    again.close()


def test_all_who_wait_for_a_commit_hear_that_it_failed() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        spoil(journal)

        async def sample(seq: int) -> None:
            note(journal, name, seq, trace(seq))
            await journal.settled()

        told = await asyncio.gather(*[sample(i) for i in range(3)], return_exceptions=True)
        assert [type(error) for error in told] == [PonderError] * 3
        journal.close()

    run(main())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    Journal(path).close()
    path.chmod(0o400)
    with pytest.raises(UsageError, match="cannot open the journal") as error:
        Journal(path)
    assert one_sentence(error)


def test_a_hint_recorded_without_its_nodes_stands_at_the_root() -> None:
    journal = Journal(":memory:")
    run = journal.create({})
    hint = Action("hint", text="be brief")
    record = json.dumps(["Steered", {"action": asdict(hint)}])
    journal._execute("insert into decisions values (?, 0, 0, ?)", (run, record))
    assert journal.decisions(run) == [(0, Steered(hint))]
    journal.close()


def test_a_paused_run_is_cut_off_when_its_process_ends_and_runs_when_it_is_taken_up(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    journal.pause(run, True)
    assert journal.run(run).state == "paused"
    other = subprocess.Popen([sys.executable, "-c", ""])
    other.wait()
    worker = f"{other.pid}@{platform.node()}"
    journal._execute("update runs set worker = ?", (worker,))
    assert journal.run(run).state == "cut off"
    journal.claim(run)
    assert journal.run(run).state == "running"
    journal.close()


def test_a_run_that_a_living_process_works_on_is_not_taken_from_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    journal.claim(run)  # our own may be taken up again
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with sqlite3.connect(tmp_path / "runs.sqlite") as file:
        worker = f"{other.pid}@{platform.node()}"
        file.execute("update runs set worker = ?", (worker,))
    file.close()
    with pytest.raises(UsageError, match=f"process {other.pid} is working on run {run}"):
        journal.claim(run)
    other.communicate(b"")
    journal.claim(run)
    journal.close()


def test_tokens_are_kept_where_they_are_asked_for_parts_of_characters_too() -> None:
    plain = trace(0, "42")
    assert "pieces" not in pack(plain)
    rich = replace(plain, logprobs=(-0.5, -1.0), pieces=("é".encode(), b"\xe6\xbc"))
    packed = json.loads(json.dumps(pack(rich)))
    assert packed["pieces"] == ["é", [0xE6, 0xBC]]
    again = unpack(packed, GENERATE)
    assert isinstance(again, Trace)
    assert again.pieces == rich.pieces


def test_bytes_of_a_token_that_are_none_are_refused() -> None:
    path, effect, result, *rest = GENERATED
    [row] = read_rows([(0, json.dumps(GENERATED))])
    assert row.result is not None
    for pieces in ([[256]], [[-1]], [[0.5]], [None], "ab"):
        with pytest.raises(Malformed):
            read_rows([(0, json.dumps([path, effect, {**result, "pieces": pieces}, *rest]))])

"""The results store: what is none, what it keeps, and what it says: figures, series, tables."""

from __future__ import annotations

import csv
import math
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import MissingExtra, UsageError
from ponder.experiments.evals.export import COLUMNS, export
from ponder.experiments.evals.figures import compare, mcnemar, needed, summary
from ponder.experiments.evals.store import Outcome, Store, Stored
from ponder.experiments.report import load
from ponder.experiments.stats.intervals import wilson
from ponder.runtime.journal import Journal


def stored(name: str, **changes: object) -> Stored:
    """A configuration; its ID is its name."""
    one = Stored(name, 1.0, f"{name}'s name", "s", "m", 7, False, "", {"knobs": {"n": 2}})
    return replace(one, **changes)  # type: ignore[arg-type]


def outcome(i: int, correct: bool | None = None, **changes: object) -> Outcome:
    made = Outcome(f"p{i}", i, i % 3, f"q{i}", f"run{i}", "done", answer="1", key="q:1",
                   stopped_by="done", calls=2, prompt_tokens=10, completion_tokens=20,
                   wasted_tokens=5, flops=100.0, seconds=0.5, correct=correct)  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def outcomes(pattern: str, start: int = 0) -> list[Outcome]:
    """``x`` is right, ``.`` wrong, ``?`` not graded."""
    right = {"x": True, ".": False, "?": None}
    return [outcome(i, right[mark]) for i, mark in enumerate(pattern, start)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "results.sqlite", make=True)
    yield made
    made.close()


def fill(store: Store, **patterns: str) -> None:
    for created, (name, pattern) in enumerate(patterns.items()):
        store.declare(stored(name, created=float(created)))
        for one in outcomes(pattern):
            store.finish(name, one)


# What is no store ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [True, False])
def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path, make: bool) -> None:
    text, journal = tmp_path / "text", tmp_path / "runs.sqlite"
    text.write_text("this is no database at all, but long enough to be taken for one\n" * 20)
    Journal(journal).close()
    for path, why in (
        (text, "not a SQLite file"),
        (journal, "is not a results store"),
        (tmp_path, ""),
    ):
        with pytest.raises(UsageError, match=r"name another file\.$") as refused:
            Store(path, make=make)
        assert why in str(refused.value)
    assert text.read_text().startswith("this is no database")
    db = sqlite3.connect(journal)
    tables = {name for (name,) in db.execute("select name from sqlite_master where type = 'table'")}
    db.close()
    assert tables == {"runs", "calls", "decisions", "actions"}


def test_a_store_is_made_only_on_purpose(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "results.sqlite"
    with pytest.raises(UsageError, match=r"there is no results store .*: 'ponder eval' makes one"):
        Store(path)
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    with pytest.raises(UsageError, match="it is not a results store, but empty"):
        Store(path)
    Store(path, make=True).close()
    Store(path).close()
    path = tmp_path / "new" / "results.sqlite"
    Store(path, make=True).close()
    assert path.stat().st_mode & 0o077 == 0 or sys.platform == "win32"


def test_a_later_format_is_refused(store: Store) -> None:
    with sqlite3.connect(store.path) as db:
        db.execute("update store set format = 2")
    db.close()
    with pytest.raises(UsageError, match="has format 2, this Ponder reads 1"):
        Store(store.path)


# What it keeps ------------------------------------------------------------------------------------


def test_what_is_written_is_read(store: Store) -> None:
    first, second = stored("a", priced=True), stored("b", created=2.0, parameters=0)
    store.declare(first)
    store.declare(second)
    store.declare(replace(first, created=3.0, name="another"))  # it is there already
    assert store.configurations() == [second, first]
    held = [outcome(2, level="hard"), outcome(0, True), outcome(1, False, level=None)]
    for one in held:
        store.finish("a", one)
    assert store.outcomes("a") == [held[1], held[2], held[0]]
    assert store.outcomes("b") == []


def test_grades_go_to_those_that_gave_the_answer(store: Store) -> None:
    fill(store, a="??", b="??", c="?")
    store.finish("b", outcome(1, answer="2"))
    store.finish("b", outcome(0, answer=None))
    store.grade(["a", "b"], "p1", "1", True)
    store.grade(["a", "b"], "p0", None, False)
    assert [o.correct for o in store.outcomes("a")] == [None, True]
    assert [o.correct for o in store.outcomes("b")] == [False, None]
    assert [o.correct for o in store.outcomes("c")] == [None]


def test_a_configuration_is_found_by_id_beginning_or_name(store: Store) -> None:
    for name in ("abc1", "abd2", "e"):
        store.declare(stored(name))
    store.rename("e", "abc")
    store.rename("abd2", "twice")
    assert store.find("abc").id == "e"  # a name before the beginning of an ID
    assert store.find("abd").id == store.find("twice").id == "abd2"
    assert store.find("abc1").id == "abc1"
    with pytest.raises(UsageError, match="'ab' is ambiguous: say which of abd2, abc1 is meant"):
        store.find("ab")
    store.rename("abc1", "twice")
    with pytest.raises(UsageError, match="'twice' is ambiguous: say which of abd2, abc1"):
        store.find("twice")
    for nothing in ("x", ""):
        with pytest.raises(UsageError, match=f"no configuration has the name '{nothing}' or an ID"):
            store.find(nothing)


def test_removing_takes_outcomes_and_runs(store: Store) -> None:
    journal = store.journal()
    runs = [journal.create({}), journal.create({}), journal.create({})]
    store.declare(stored("a"))
    store.declare(stored("b"))
    store.finish("a", outcome(0, run=runs[0]))
    store.finish("a", outcome(1, run="long gone"))
    store.finish("b", outcome(0, run=runs[1]))
    store.remove("a")
    assert [one.id for one in store.configurations()] == ["b"]
    assert store.outcomes("a") == []
    assert {row.id for row in journal.runs()} == {runs[1], runs[2]}


def test_whoever_was_faster_answers_the_problem(store: Store) -> None:
    store.declare(stored("a"))
    opened = outcome(0, run="first", state="open")
    assert store.begin("a", opened) == "first"
    assert store.begin("a", replace(opened, run="second")) == "first"
    assert store.begin("a", replace(opened, run="third"), "first") == "third"
    assert store.run_of("a", "p0") == "third"
    assert store.run_of("a", "p1") == ""


# Figures ------------------------------------------------------------------------------------------


def test_a_summary() -> None:
    held = [*outcomes("xx."), outcome(3, False, state="failed", stopped_by=None, answer=None),
            outcome(4, False, stopped_by="tokens"), outcome(5, state="open")]  # fmt: skip
    found = summary(stored("a"), held)
    assert (found.problems, found.failed, found.refused, found.ungraded) == (5, 1, 0, 0)
    assert found.accuracy == 0.4
    assert (found.low, found.high) == wilson(2, 5)
    assert found.cost == {"tokens": 35, "flops": 100, "seconds": 0.5}
    assert found.stopped_by == {"done": 3, "tokens": 1}
    told = found.to_json()
    assert (told["tokens"], told["usd"], "cost" in told) == (35, None, False)
    assert "flops" not in summary(stored("a", parameters=0), held).cost
    assert summary(stored("a", priced=True), [outcome(0, usd=0.5)]).cost["usd"] == 0.5


@pytest.mark.parametrize("pattern", ["", "x?"])
def test_what_is_not_graded_has_no_accuracy(pattern: str) -> None:
    found = summary(stored("a"), outcomes(pattern))
    assert (found.accuracy, found.low, found.high) == (None, None, None)
    assert found.ungraded == pattern.count("?")


def test_a_comparison_is_on_common_problems() -> None:
    dear = [replace(one, completion_tokens=55) for one in outcomes("xxxx..", 1)]
    found = compare((stored("a"), outcomes("xx...")), (stored("b"), dear))
    assert found.problems == 4
    assert (found.accuracy_a, found.accuracy_b, found.difference) == (0.25, 1.0, 0.75)
    assert (found.only_a, found.only_b, found.p) == (0, 3, 0.25)
    assert found.low > 0  # a bootstrap of three problems; the test does not believe it
    assert not found.decided
    assert found.verdict == "the data do not decide (4 problems)"
    assert found.cost == {"tokens": 2.0, "flops": 1.0, "seconds": 1.0}


@pytest.mark.parametrize(("a", "b", "winner"), [(".", "x", "B"), ("x", ".", "A")])
def test_the_data_decide(a: str, b: str, winner: str) -> None:
    found = compare(
        (stored("a"), outcomes("x.x." + a * 10)), (stored("b"), outcomes("x.x." + b * 10))
    )
    assert found.verdict == f"{winner} is better"
    assert found.decided
    assert found.needed is None
    assert found.low <= found.difference <= found.high
    assert found.p == 2 / 2**10


def test_equal_ones_are_not_decided() -> None:
    found = compare((stored("a"), outcomes("x.x")), (stored("b"), outcomes("x.x")))
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert found.verdict == "the data do not decide (3 problems)"
    one = compare((stored("a"), outcomes(".")), (stored("b"), outcomes("x")))
    assert (one.low, one.high) == (-1, 1)


def test_how_many_problems_would_be_needed() -> None:
    # Connor 1987: (1.96 sqrt(0.3) + 0.8416 sqrt(0.3 - 0.01))^2 / 0.01
    assert needed(10, 20, 100) == needed(20, 10, 100) == 234
    assert needed(4, 5, 30) is None  # too few to tell how often they differ
    assert needed(9, 9, 30) is None
    found = compare(
        (stored("a"), outcomes("x" * 10 + "." * 20 + "x" * 70)),
        (stored("b"), outcomes("." * 10 + "x" * 90)),
    )
    assert found.needed == 234
    assert found.verdict == (
        "the data do not decide (100 problems; about 234 would be needed to see a difference of "
        "this size)"
    )


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(a: int, b: int) -> None:
    as_lopsided = sum(
        math.comb(a + b, k) for k in range(a + b + 1) if abs(2 * k - a - b) >= abs(a - b)
    )
    assert mcnemar(a, b) == pytest.approx(as_lopsided / 2 ** (a + b))
    assert mcnemar(a, b) == mcnemar(b, a)


def test_what_cannot_be_compared_is_one_sentence() -> None:
    a = stored("a"), outcomes("x.")
    with pytest.raises(UsageError, match="a is compared with itself"):
        compare(a, a)
    with pytest.raises(UsageError, match="a and b have no problem in common"):
        compare(a, (stored("b"), outcomes("x.", 2)))
    with pytest.raises(UsageError, match="a and b have no problem in common"):
        compare(a, (stored("b"), [outcome(0, True, question="another")]))
    with pytest.raises(UsageError, match="configuration b is not graded yet: give the"):
        compare(a, (stored("b"), outcomes("?")))


# Series and tables --------------------------------------------------------------------------------


def test_each_configuration_is_a_series_of_one_point(store: Store) -> None:
    fill(store, a="x.x", b="x", c="")
    store.finish("a", outcome(3, None, state="open"))
    store.finish("b", outcome(1, False, calls=9))
    one, two = load.load([store.path]).series
    assert (one.suite, one.model, one.method, one.parameters) == ("s", "m", "a's name", 7)
    assert one.problem_ids == ("p0", "p1", "p2")
    assert one.levels == (0, 1, 2)
    assert one.source == "results.sqlite"
    [point] = one.points
    assert point.n == 2
    assert np.array_equal(point.values, [1.0, 0.0, 1.0])
    assert point.cost == {"tokens": 35.0, "flops": 100.0, "seconds": 0.5}
    assert two.points[0].n == 6  # 5.5, rounded


def test_what_is_not_graded_is_no_series(store: Store) -> None:
    fill(store, a="x?")
    with pytest.raises(UsageError, match="configuration a is not graded yet"):
        load.load([store.path])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_export_to_csv(tmp_path: Path) -> None:
    held = [(stored("a"), outcomes("x.?")), (stored("b"), [outcome(0, answer='a "b",\nc')])]
    path = tmp_path / "out.csv"
    assert export(path, held) == 4
    rows = table(path)
    assert tuple(rows[0]) == COLUMNS
    assert [(r["configuration"], r["problem_id"], r["correct"]) for r in rows] == [
        ("a", "p0", "1"), ("a", "p1", "0"), ("a", "p2", ""), ("b", "p0", ""),
    ]  # fmt: skip
    assert rows[3]["answer"] == 'a "b",\nc'
    assert float(rows[0]["flops"]) == 100
    assert [file.name for file in tmp_path.glob("*out.csv*")] == ["out.csv"]


def test_export_to_parquet_has_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "out.parquet"
    nothing = outcome(1, level=None, answer=None, confidence=None)
    assert export(path, [(stored("a"), [outcome(0, True, level="hard"), nothing])]) == 2
    read = parquet.read_table(path)
    assert read.column_names == list(COLUMNS)
    kinds = {
        name: str(read.schema.field(name).type) for name in ("correct", "calls", "usd", "level")
    }
    assert kinds == {"correct": "bool", "calls": "int64", "usd": "double", "level": "string"}
    assert read.column("correct").to_pylist() == [True, None]
    assert read.column("level").to_pylist() == ["hard", None]
    assert export(path, []) == 0
    assert parquet.read_table(path).num_rows == 0


def test_export_to_a_store_without_the_journal(tmp_path: Path) -> None:
    held = [(stored("a"), outcomes("x.?")), (stored("b"), [outcome(0, answer="c")])]
    path = tmp_path / "out.sqlite"
    for _ in range(2):  # what is there is replaced, not added to
        assert export(path, held) == 4
        made = Store(path)
        try:
            assert {one.id: made.outcomes(one.id) for one in made.configurations()} == {
                one.id: list(found) for one, found in held
            }
        finally:
            made.close()
    assert [file.name for file in tmp_path.glob("*out.sqlite*")] == ["out.sqlite"]


def test_export_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"expected a file of \.csv or \.parquet or \.sqlite"):
        export(tmp_path / "out.txt", [])
    with pytest.raises(UsageError, match=r"cannot write .*: No such file"):
        export(tmp_path / "gone" / "out.csv", [])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ponder\[parquet\]'"):
        export(tmp_path / "out.parquet", [])


@pytest.mark.parametrize("confidence", [-0.1, 1.1, 1e300])
def test_a_confidence_that_is_no_probability_is_damage(tmp_path: Path, confidence: float) -> None:
    store = Store(tmp_path / "r.sqlite", make=True)
    store.declare(stored("one"))
    store.finish(stored("one").id, outcome(0, True, confidence=confidence))
    with pytest.raises(UsageError, match="a confidence is not from 0 to 1; name another file"):
        store.outcomes(stored("one").id)
    store.close()

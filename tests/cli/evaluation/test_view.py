"""``ponder eval show``, ``compare``, ``rm``: what a store holds, and what is written of it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ponder.experiments.evals.store import Store, store_path
from tests.support.commands import ponder
from tests.support.evaluation import PROBLEMS, Capture, as_json, evaluate, rows


def test_show_lists_newest_first(tmp_path: Path, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "eval", "show")
    assert (code, out) == (0, "")
    assert "nothing is evaluated yet" in err
    assert as_json(capsys, "show") == []
    assert evaluate(capsys, tmp_path, "--budget", "tokens=3")[0] == 2  # makes an empty store
    assert "nothing is evaluated yet" in ponder(capsys, "eval", "show")[2]
    evaluate(capsys, tmp_path, "-s", "direct", "--name", "old")
    evaluate(capsys, tmp_path, "-s", "direct", "--seed", "1", "--name", "new")
    listed = as_json(capsys, "show")
    assert [row["name"] for row in listed] == ["new", "old"]
    assert {row["suite"] for row in listed} == {"sums"}
    code, out, _ = ponder(capsys, "eval", "show")
    assert [row[1:4] for row in rows(out)[1:]] == [
        [name, "simulated", "sums"] for name in ("new", "old")
    ]


def test_show_one_has_its_problems(tmp_path: Path, capsys: Capture) -> None:
    evaluate(capsys, tmp_path, "-s", "direct")
    [listed] = as_json(capsys, "show")
    shown = as_json(capsys, "show", listed["id"][:4])
    assert [o["problem_id"] for o in shown["outcomes"]] == [f"sums/{i}" for i in range(PROBLEMS)]
    assert shown["accuracy"] == sum(o["correct"] for o in shown["outcomes"]) / PROBLEMS
    code, out, _ = ponder(capsys, "eval", "show", "direct")
    assert code == 0
    assert [row[0] for row in rows(out)[3:]] == [f"sums/{i}" for i in range(PROBLEMS)]
    assert {row[2] for row in rows(out)[3:]} <= {"yes", "no"}


def test_compare_says_whether_the_data_decide(tmp_path: Path, capsys: Capture) -> None:
    model = ("-s", "direct", "--grid")
    evaluate(capsys, tmp_path, *model, "model=simulated(accuracy=0.0),simulated(accuracy=1.0)")
    bad, good = [row["id"] for row in reversed(as_json(capsys, "show"))]
    code, out, _ = ponder(capsys, "eval", "compare", bad, good)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"A  {bad}  direct: 0.0000"
    assert lines[2] == f"B - A: +1.0000 (+1.0000 to +1.0000), on {PROBLEMS} problems"
    assert lines[3] == "only A right: 0, only B right: 12; McNemar's exact p = 0.00049"
    assert re.fullmatch(
        r"B takes [\d.]+ times the tokens, [\d.]+ times the flops, [\d.e+-]+ times the seconds",
        lines[4],
    )
    assert lines[5] == "B is better"
    assert as_json(capsys, "compare", good, bad)["verdict"] == "A is better"
    code, _, err = ponder(capsys, "eval", "compare", "direct", bad)
    assert (code, "'direct' is ambiguous: say which of" in err) == (2, True)
    code, _, err = ponder(capsys, "eval", "compare", bad, bad)
    assert (code, "is compared with itself" in err) == (2, True)


def test_compare_needs_common_problems(tmp_path: Path, capsys: Capture) -> None:
    evaluate(capsys, tmp_path, "-s", "direct", "--limit", "2", "--name", "a")
    other = tmp_path / "other.jsonl"
    other.write_text('{"question": "What is 6 x 7?", "answer": "42"}\n')
    said = ("eval", "--suite", f"{other}(type=number)", "-m", "simulated", "--name", "b")
    assert ponder(capsys, *said)[0] == 0
    code, out, err = ponder(capsys, "eval", "compare", "a", "b")
    assert (code, out) == (2, "")
    assert "have no problem in common" in err
    code, _, err = ponder(capsys, "eval", "compare", "a", "c")
    assert (code, "no configuration has the name 'c'" in err) == (2, True)


def test_export_writes_what_is_shown(tmp_path: Path, capsys: Capture) -> None:
    evaluate(capsys, tmp_path, "--grid", "n=1,3", "--name", "v")
    target = tmp_path / "out.csv"
    code, out, err = ponder(capsys, "eval", "show", "--export", str(target))
    assert (code, out) == (0, "")
    assert f"wrote {target}: {2 * PROBLEMS} outcomes" in err
    code, _, err = ponder(capsys, "eval", "show", "v n=1", "--export", str(target))
    assert (code, "exists: choose another name, or say --force" in err) == (2, True)
    ponder(capsys, "eval", "show", "v n=1", "--export", str(target), "--force")
    with target.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["name"] for row in found] == ["v n=1"] * PROBLEMS
    code, _, err = ponder(capsys, "eval", "show", "--export", str(tmp_path / "x.xls"))
    assert (code, "expected a file of .csv or .parquet or .sqlite" in err) == (2, True)
    code, _, err = ponder(capsys, "eval", "show", "--export", str(tmp_path / "no" / "x.csv"))
    assert (code, f"there is no folder {tmp_path / 'no'}." in err) == (2, True)
    code, out, err = ponder(capsys, "eval", "show", "--json", "--export", str(target), "--force")
    assert (code, out, err) == (
        2, "", "ponder: --export and --json exclude each other: give one of them.\n",
    )  # fmt: skip
    code, _, err = ponder(capsys, "eval", "show", "--force")
    assert (code, "--force says nothing without --export" in err) == (2, True)


@pytest.mark.parametrize("named", [True, False])
def test_an_export_never_replaces_the_store(tmp_path: Path, capsys: Capture, named: bool) -> None:
    path = tmp_path / "mine.sqlite" if named else store_path()
    where = ("--store", str(path)) if named else ()
    evaluate(capsys, tmp_path, "-s", "direct", *where)
    code, _, err = ponder(capsys, "eval", "show", *where, "--export", str(path), "--force")
    assert (code, f"{path} is what is read: give the output another name." in err) == (2, True)
    store = Store(path)
    assert len(store.journal().runs()) == PROBLEMS
    store.close()


def test_a_store_may_be_anywhere_and_rm_forgets(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "sub" / "mine.sqlite"
    where = ("--store", str(path))
    evaluate(capsys, tmp_path, "--grid", "n=1,3", "--name", "v", *where)
    assert len(as_json(capsys, "show", *where)) == 2
    code, _, err = ponder(capsys, "eval", "rm", "v n=1", *where)
    assert (code, err.startswith("removed ")) == (0, True)
    assert [row["name"] for row in as_json(capsys, "show", *where)] == ["v n=3"]
    with_store = Store(path)
    assert len(with_store.journal().runs()) == PROBLEMS
    with_store.close()
    for said in (("show",), ("compare", "a", "b"), ("rm", "a")):
        code, _, err = ponder(capsys, "eval", *said, "--store", str(tmp_path / "gone"))
        assert (code, "there is no results store" in err) == (2, True)
    for said in (("show", "a"), ("show", "--export", "x.csv")):
        code, _, err = ponder(capsys, "eval", *said)
        assert (code, "nothing is evaluated yet" in err) == (2, True)

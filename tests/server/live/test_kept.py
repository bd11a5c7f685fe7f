"""The record beside the journal: owners of runs, and requests that may be repeated."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ponder.core.errors import UsageError
from ponder.server.live import kept
from ponder.server.live.kept import Kept, Records, Repeatable
from ponder.util.worker import this_one


def test_a_run_has_the_owner_that_it_was_begun_for(tmp_path: Path) -> None:
    now = 1.0
    records = Records(tmp_path / "x.sqlite", clock=lambda: now)
    for run, key in (("a", "ann"), ("b", "bob"), ("c", "ann"), ("d", "ann")):
        records.own(run, key)
    now = 2.0
    records.own("e", "ann")
    records.own("a", "bob")  # resumed by nobody else
    assert records.owner("a") == "ann"
    assert records.owner("z") is None
    assert records.owned("ann", "", 10) == ["e", "d", "c", "a"]
    assert records.owned("ann", "d", 1) == ["c"]
    assert records.owned("ann", "a", 10) == []


def test_a_request_is_known_with_its_runs_by_place_and_its_reply(tmp_path: Path) -> None:
    records = Records(tmp_path / "x.sqlite")
    asked = Repeatable("ann", "k", "digest")
    assert records.request("ann", "k") is None
    records.claim(asked)
    asked = records.started(asked, 1, "second")
    assert records.request("ann", "k") == Repeatable(
        "ann", "k", "digest", this_one(), ("", "second")
    )
    asked = records.started(asked, 0, "first")
    records.claim(asked)  # after a failure
    reply = Kept(200, (("content-type", "text/plain"),), b"\x00hi")
    records.answered(asked, reply)
    assert Records(tmp_path / "x.sqlite").request("ann", "k") == Repeatable(
        "ann", "k", "digest", this_one(), ("first", "second"), reply
    )
    assert records.request("bob", "k") is None
    records.forget(asked)
    assert records.request("ann", "k") is None


def test_a_request_is_forgotten_after_a_day(tmp_path: Path) -> None:
    now = 0.0
    records = Records(tmp_path / "x.sqlite", clock=lambda: now)
    records.claim(Repeatable("ann", "k", "digest"))
    now = kept.RETENTION
    assert records.request("ann", "k") is not None
    now += 1
    assert records.request("ann", "k") is None
    records.claim(Repeatable("ann", "k", "other"))
    known = records.request("ann", "k")
    assert known is not None
    assert known.digest == "other"


def test_a_reply_that_is_too_large_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "LARGEST", 2)
    records, asked = Records(tmp_path / "x.sqlite"), Repeatable("", "k", "digest")
    records.claim(asked)
    records.answered(asked, Kept(200, (), b"abc"))
    known = records.request("", "k")
    assert known is not None
    assert known.reply is None
    records.answered(asked, Kept(200, (), b"ab"))
    known = records.request("", "k")
    assert known is not None
    assert known.reply is not None


@pytest.mark.parametrize("value", ["{", "{}", "[1]"])
def test_a_damaged_row_is_refused(value: str, tmp_path: Path) -> None:
    records = Records(tmp_path / "x.sqlite")
    records.claim(Repeatable("", "k", "digest"))
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as db, db:
        db.execute("update requests set runs = ?", (value,))
    with pytest.raises(UsageError, match="is damaged"):
        records.request("", "k")

"""Runs that began long ago are removed, at the start and daily."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ponder.models.config import Config
from ponder.runtime.engine import Engine
from ponder.runtime.journal import Journal
from ponder.server.operation.retention import DAY, keeping
from ponder.server.settings import Settings
from ponder.util.worker import this_one


def began(journal: Journal, days: float, worker: str | None = None) -> str:
    run = journal.create({"model": "m"})
    journal._execute(
        "update runs set created = ?, worker = ? where id = ?", (days * DAY, worker, run)
    )
    return run


def kept(journal: Journal) -> set[str]:
    return {row[0] for row in journal._execute("select id from runs", ())}


def test_a_run_in_progress_is_not_forgotten() -> None:
    journal = Journal(":memory:")
    ended, new = began(journal, 1), began(journal, 3)
    going, killed = began(journal, 1, this_one()), began(journal, 1, "1@another-machine")
    assert journal.forget(2 * DAY) == 2
    assert kept(journal) == {new, going}
    assert {ended, killed}.isdisjoint(kept(journal))
    journal.close()


async def test_at_the_start_and_daily(tmp_path: Path) -> None:
    path, now = tmp_path / "runs.sqlite", 10 * DAY
    slept: asyncio.Queue[float] = asyncio.Queue()
    go: asyncio.Queue[None] = asyncio.Queue()

    async def pause(seconds: float) -> None:
        await slept.put(seconds)
        await go.get()

    async with Engine(Config()) as engine:
        journal = engine.journal(path)
        old, middle, new = (began(journal, days) for days in (2, 3.5, 9))
        settings = Settings(journal=path, keep_days=7)
        async with keeping(engine, settings, lambda: now, pause):
            assert kept(journal) == {middle, new}
            assert await slept.get() == DAY
            now += DAY
            await go.put(None)
            await slept.get()
            assert kept(journal) == {new}
    assert old


async def test_all_are_kept_unless_it_is_said(tmp_path: Path) -> None:
    async def never(seconds: float) -> Any:
        raise AssertionError

    async with Engine(Config()) as engine:
        path = tmp_path / "runs.sqlite"
        run = began(engine.journal(path), 0)
        for settings in (Settings(journal=path), Settings(journal=False, keep_days=1)):
            async with keeping(engine, settings, lambda: 10 * DAY, never):
                assert kept(engine.journal(path)) == {run}

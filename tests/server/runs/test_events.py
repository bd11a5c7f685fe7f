"""The events of a run, told to readers who come late, go away, and come back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ponder.server.live import live
from tests.support.serving import NUMBER, Served, answering, scripted, serving
from tests.support.telling_runs import VOTE, Told, all_told, runs, told
from tests.support.turnstile import Turnstile

DIAL = {"ponder": VOTE}


async def begun(server: Served, gate: Turnstile) -> tuple[str, asyncio.Future[Any]]:
    """A run whose samples wait."""
    asking = asyncio.ensure_future(server.chat(NUMBER, extra_body=DIAL))
    await gate.reached()
    [run] = [one["id"] for one in (await runs(server))["data"]]
    return run, asking


async def some(server: Served, run: str, until: str, **more: Any) -> list[Told]:
    """The events up to the first of a kind; then the reader hangs up."""
    found = []
    async with aclosing(told(server, run, **more)) as events:  # type: ignore[type-var]
        async for event in events:
            found.append(event)
            if event.type == until:
                break
    return found


async def test_a_reader_who_comes_back_has_neither_gaps_nor_doubles(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        run, asking = await begun(server, gate)
        first = await some(server, run, "vote_changed")
        following = asyncio.ensure_future(all_told(server, run, after=first[-1].id))
        gate.set()
        rest = await following
        await asking
        whole = await all_told(server, run)
        by_header = await all_told(server, run, headers={"last-event-id": first[-1].id})
        assert first + rest == whole
        assert by_header == rest
        assert first[0].type == "run_started"
        assert [event.type for event in whole[-2:]] == ["ended", "end"]
        assert whole[-1].data["run"]["state"] == "done"
        assert whole[-1].data["run"]["answer"] == "42"
        epoch = whole[0].id.rpartition("-")[0]
        assert [event.id for event in whole] == [f"{epoch}-{n + 1}" for n in range(len(whole))]
        after = await server.http.get(f"/v1/runs/{run}/events", params={"after": whole[-1].id})
        assert after.status_code == 204


async def test_many_readers_hear_the_same_and_who_goes_away_ends_nothing(tmp_path: Path) -> None:
    gate = Turnstile()
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        run, asking = await begun(server, gate)
        readers = [asyncio.ensure_future(all_told(server, run)) for _ in range(3)]
        await some(server, run, "sample_started")
        gate.set()
        first, second, third = await asyncio.gather(*readers)
        assert first == second == third
        assert (await asking).ponder["stopped_by"] == "done"


async def test_a_run_of_an_earlier_process_is_told_from_its_record(tmp_path: Path) -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        run = (await server.chat(NUMBER, extra_body=DIAL)).ponder["run"]
        live_told = await all_told(server, run)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        recorded = await all_told(server, run)
        assert recorded[0].data == live_told[0].data
        assert recorded[-1].data == live_told[-1].data
        kept = ("sample_finished", "expanded", "decided", "ended")

        def answers(events: list[Told]) -> list[Any]:
            return [(e.type, e.data.get("answer")) for e in events if e.type in kept]

        assert answers(recorded) == answers(live_told)
        assert await all_told(server, run, after=recorded[2].id) == recorded[3:]
        again = await all_told(server, run, after=live_told[3].id)
        assert (again[0].type, again[0].id) == ("restarted", "")
        assert again[1:] == recorded


async def test_events_that_are_too_many_to_remember_are_told_from_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REMEMBERED", 0)
    async with serving(answering("so \\boxed{42}"), journal=tmp_path / "runs.sqlite") as server:
        first, second = [(await server.chat(NUMBER)).ponder["run"] for _ in range(2)]
        assert (await all_told(server, first))[0].id.startswith("record")
        assert not (await all_told(server, second))[0].id.startswith("record")


@pytest.mark.parametrize("after", ["7", "x-", "x-y", "-1", "x-²", "x-" + "9" * 20])
async def test_an_id_that_was_never_sent_is_refused(after: str, tmp_path: Path) -> None:
    async with serving(answering("so \\boxed{42}"), journal=tmp_path / "runs.sqlite") as server:
        run = (await server.chat(NUMBER)).ponder["run"]
        said = await server.http.get(f"/v1/runs/{run}/events", params={"after": after})
        epoch = (await all_told(server, run))[0].id.partition("-")[0]
        beyond = await server.http.get(f"/v1/runs/{run}/events", params={"after": f"{epoch}-999"})
    assert said.status_code == beyond.status_code == 400
    assert said.json()["error"]["param"] == "after"

"""Budgets per day and rates of keys, across processes and days."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.costs.cost import PICO, Cost
from ponder.core.errors import UsageError
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.operation.spending import Spending
from tests.support.keyed import DAILY, TEAM, limited
from tests.support.serving import NUMBER, USER, Gate, answering, scripted, serving

OTHER = replace(DAILY, name="other")
MIDNIGHT = 20_000 * 86400


class Clock:
    now = MIDNIGHT + 3600.0

    def __call__(self) -> float:
        return self.now


def all_of(left: Cost) -> Cost:
    return left


def at_most(most: int, left: Cost) -> Cost:
    return tokens(min(most, left.tokens))


def tokens(count: int) -> Cost:
    return Cost(count)


def test_what_is_held_is_exchanged_for_what_was_spent() -> None:
    book = Spending(":memory:", Clock())
    hold, left = book.hold(DAILY, lambda left: tokens(600))
    assert left.tokens == 1000
    second, left = book.hold(DAILY, all_of)
    assert (left.tokens, second.cost.tokens) == (400, 400)
    with pytest.raises(ApiError, match="held by its runs in progress") as caught:
        book.hold(DAILY, all_of)
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")
    assert caught.value.headers == {"retry-after": "1"}
    assert book.hold(OTHER, all_of)[1].tokens == 1000, "another key's budget is its own"
    book.settle(hold, tokens(100))
    book.settle(second, Cost())
    assert book.spent("team") == tokens(100)
    assert book.hold(DAILY, all_of)[1].tokens == 900


def test_a_day_that_is_used_up_ends_at_midnight() -> None:
    clock = Clock()
    book = Spending(":memory:", clock)
    book.settle(book.hold(DAILY, all_of)[0], tokens(1003))  # a run may be overcharged
    with pytest.raises(ApiError, match="used up") as caught:
        book.hold(DAILY, all_of)
    assert caught.value.body()["error"]["code"] == "insufficient_quota"
    assert caught.value.headers == {"retry-after": str(23 * 3600), "x-should-retry": "false"}
    clock.now = MIDNIGHT + 86400
    hold, left = book.hold(DAILY, all_of)
    assert left.tokens == 1000
    clock.now += 86400
    book.settle(hold, tokens(7))  # on the day when it began
    assert book.spent("team") == Cost()


def test_dollars_are_exact() -> None:
    book = Spending(":memory:", Clock())
    key = Key("team", "", day_usd=0.3)
    for _ in range(3):
        book.settle(book.hold(key, all_of)[0], Cost(5, PICO // 10))
    with pytest.raises(ApiError, match="used up"):
        book.hold(key, all_of)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=12))
def test_no_key_holds_more_than_its_budget(runs: list[tuple[int, int]]) -> None:
    """Whatever runs ask for at most, if each keeps to it, the day's budget is kept."""
    book, holds = Spending(":memory:", Clock()), []
    for most, spent in runs:
        try:
            hold, _ = book.hold(DAILY, partial(at_most, most))
        except ApiError:
            continue
        holds.append((hold, tokens(min(spent, hold.cost.tokens))))
        assert sum(hold.cost.tokens for hold, _ in holds) <= 1000
    for hold, cost in holds:
        book.settle(hold, cost)
    assert book.spent("team").tokens == sum(cost.tokens for _, cost in holds) <= 1000


def test_a_rate_is_kept_to_the_second_and_across_restarts(tmp_path: Path) -> None:
    clock, key = Clock(), Key("team", per_minute=3)
    file = tmp_path / "spending.sqlite"
    book = Spending(file, clock)
    for _ in range(3):
        book.admit(key)
    book.close()
    book = Spending(file, clock)
    with pytest.raises(ApiError, match="3 times a minute: try again in 20 s") as caught:
        book.admit(key)
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "20"})
    clock.now += 19
    with pytest.raises(ApiError, match="in 1 s"):
        book.admit(key)
    clock.now += 1
    book.admit(key)
    clock.now -= 10**6  # a clock that was set back shuts nobody out for long
    with pytest.raises(ApiError, match="in 20 s"):
        book.admit(key)
    book.admit(Key("free"))
    book.close()


def test_what_a_killed_process_held_counts_as_spent(tmp_path: Path) -> None:
    file = tmp_path / "spending.sqlite"
    code = f"""if True:
        import os, signal
        from ponder.core.costs.cost import Cost
        from ponder.server.keys import Key
        from ponder.server.operation.spending import Spending
        book = Spending({str(file)!r}, lambda: {Clock.now})
        key = Key("team", day_tokens=1000)
        book.settle(book.hold(key, lambda left: Cost(500))[0], Cost(30))
        book.hold(key, lambda left: Cost(500))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", code], env=os.environ, check=False)
    assert ended.returncode == -9
    book = Spending(file, Clock())
    assert book.spent("team") == tokens(530)
    assert book.hold(DAILY, all_of)[1].tokens == 470
    book.close()


def test_a_server_that_is_killed_in_mid_run_loses_nothing(tmp_path: Path) -> None:
    """Started again, it counts what the run could have cost at most."""
    code = f"""if True:
        import asyncio, os, signal
        from pathlib import Path
        from tests.support.keyed import limited
        from tests.support.serving import NUMBER, Gate, scripted, serving

        async def main():
            gate, where = Gate(), limited(Path({str(tmp_path)!r}))
            model = scripted(lambda request: "late", gate=gate)
            async with serving(model, where, key="secret") as server:
                dial = {{"ponder": {{"budget": {{"tokens": 700}}}}}}
                asked = asyncio.ensure_future(server.chat(NUMBER, extra_body=dial))
                await gate.reached()
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """
    here = Path(__file__).parents[3]
    ended = subprocess.run([sys.executable, "-c", code], cwd=here, env=os.environ, check=False)
    assert ended.returncode == -9
    book = Spending(tmp_path / "spending.sqlite")
    assert book.spent("team") == tokens(700)
    book.close()


def test_figures_that_are_none_are_nought(tmp_path: Path) -> None:
    file = tmp_path / "spending.sqlite"
    Spending(file, Clock()).close()
    day = time.strftime("%Y-%m-%d", time.gmtime(Clock.now))
    with closing(sqlite3.connect(file)) as db:
        db.execute("insert into spent values (?, 'team', 'many', -5)", (day,))
        db.execute("insert into held values (1, ?, 'team', x'00', 'x', x'01')", (day,))
        db.execute("insert into rates values ('team', 'now')")
        db.commit()
    book = Spending(file, Clock())
    assert book.spent("team") == Cost()
    book.admit(replace(TEAM, per_minute=1))
    book.close()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "spending.sqlite"
    file.write_text("not a database")
    with pytest.raises(UsageError, match="record of spending"):
        Spending(file)


async def test_a_key_spends_its_day_and_then_asks_for_nothing(tmp_path: Path) -> None:
    key = replace(DAILY, day_tokens=60)
    model = answering("word " * 20)
    async with serving(model, limited(tmp_path, key), key="secret") as server:
        first = await server.chat(max_tokens=30)
        used = first.usage.total_tokens
        second = await server.chat(max_tokens=60 - used)
        assert 0 < second.usage.total_tokens <= 60 - used
    async with serving(model, limited(tmp_path, key), key="secret") as server:  # started again
        count = len(model.requests)
        body = {"model": "scripted", "messages": USER}
        headers = {"authorization": "Bearer secret"}
        refused = await server.http.post("/v1/chat/completions", json=body, headers=headers)
        assert refused.status_code == 429
        assert refused.json()["error"]["type"] == "insufficient_quota"
        assert len(model.requests) == count


async def test_a_search_keeps_to_what_is_left_of_the_day(tmp_path: Path) -> None:
    key = replace(DAILY, day_tokens=100)
    model = answering("so \\boxed{42} " + "word " * 20)
    where = limited(tmp_path, key)
    async with serving(model, where, key="secret") as server:
        dial = {"ponder": {"strategy": "best_of_n", "knobs": {"n": 50}}}
        done = await server.chat(NUMBER, extra_body=dial, max_tokens=30)
        assert done.ponder["stopped_by"] == "tokens"
        assert done.usage.total_tokens <= 100
    book = Spending(tmp_path / "spending.sqlite")
    assert book.spent("team").tokens == done.usage.total_tokens
    book.close()


async def test_chats_side_by_side_hold_what_a_sample_can_cost(tmp_path: Path) -> None:
    gate = Gate()
    model = scripted(lambda request: "done", gate=gate)
    async with serving(model, limited(tmp_path), key="secret") as server:
        asked = [asyncio.ensure_future(server.chat(max_tokens=100)) for _ in range(3)]
        await gate.reached()
        gate.set()
        done = await asyncio.gather(*asked)
    assert [one.choices[0].message.content for one in done] == ["done"] * 3


async def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    key = replace(TEAM, per_minute=1)
    model = answering("hi")
    async with serving(model, limited(tmp_path, key), key="secret") as server:
        await server.chat()
        await server.openai.models.list()  # costs nothing, and is not counted
        body = {"model": "scripted", "messages": USER}
        headers = {"authorization": "Bearer secret"}
        refused = await server.http.post("/v1/chat/completions", json=body, headers=headers)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert len(model.requests) == 1


async def test_a_run_that_fails_or_is_given_up_is_settled(tmp_path: Path) -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model, limited(tmp_path), key="secret") as server:
        stream = await server.chat(NUMBER, stream=True)
        await gate.reached()
        await stream.close()
        await gate.left()
        spent = server.engine.spent.tokens
    book = Spending(tmp_path / "spending.sqlite")
    assert book.spent("team").tokens == spent > 0
    assert book.hold(DAILY, all_of)[1].tokens == 1000 - spent, "nothing is held any more"
    book.close()

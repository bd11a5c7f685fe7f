"""Work on many things, a few at a time."""

from __future__ import annotations

import asyncio

import pytest

from ponder.util.bounded import bounded


async def test_so_many_at_once_and_in_the_order_of_the_things() -> None:
    now = most = 0

    async def one(thing: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return -thing

    assert await bounded(one, range(10), 3) == [-i for i in range(10)]
    assert most == 3
    assert await bounded(one, [], 3) == []


async def test_the_first_failure_ends_all_and_leaves_none_behind() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def one(thing: int) -> None:
        begun.append(thing)
        try:
            if thing == 2:
                raise ValueError(thing)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(thing)

    with pytest.raises(ValueError, match="2"):
        await bounded(one, range(9), 3)
    assert sorted(ended) == begun == [0, 1, 2]

"""Runs that wait for a word to begin."""

from __future__ import annotations

from ponder.core.problem import Message
from ponder.models.config import Config
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine
from ponder.server.app import application
from ponder.server.asking.asked import Asked
from ponder.server.keys import Key
from ponder.server.settings import Settings
from ponder.server.telling.conducted import House, conduct
from tests.support.serving import answering


async def test_a_run_that_is_held_is_ready_and_asks_nothing_before_it_may_begin() -> None:
    model, asked = answering("hi"), Asked((Message("user", "hello"),), "scripted")
    async with Engine(Config()) as engine:
        app = application(engine, (), Settings(journal=False), given={"scripted": Opened(model)})
        house: House = app.state.house
        first, second = conduct(house, Key(), [asked, asked], held=True)
        assert (await first.ready()).plain
        await second.ready()
        assert not model.requests
        await second.stop()
        assert not model.requests
        first.begin()
        assert (await first.result()).trace is not None
        assert (len(model.requests), house.runs) == (1, set())

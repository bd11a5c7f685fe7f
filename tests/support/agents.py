"""An agent's client of the Model Context Protocol, in this process, and what it hears."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mcp import Client
from mcp_types import CallToolResult, TextContent

from ponder.models.base import Model
from ponder.models.config import Config
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine
from ponder.server.asking.served import Served
from ponder.server.mcp.server import server
from ponder.server.settings import Settings
from ponder.server.telling.conducted import House


def text(result: CallToolResult) -> str:
    """The one text of a result."""
    [block] = result.content
    assert isinstance(block, TextContent)
    return block.text


@dataclass
class Agent:
    """A client, and the progress that it was told."""

    client: Client
    house: House
    heard: list[str] = field(default_factory=list)

    async def call(self, name: str, **arguments: Any) -> Any:
        """Call a tool; returns its structured result."""
        result = await self.client.call_tool(name, arguments, progress_callback=self._hear)
        assert not result.is_error, text(result)
        return result.structured_content

    async def refused(self, name: str, **arguments: Any) -> str:
        """Call a tool that refuses; returns its sentence."""
        result = await self.client.call_tool(name, arguments)
        assert result.is_error
        assert result.structured_content is None
        return text(result)

    async def _hear(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append(message or "")
        assert progress == len(self.heard)


@asynccontextmanager
async def agent(
    model: Model, settings: Settings | None = None, *, mode: str = "legacy"
) -> AsyncIterator[Agent]:
    """Give an agent the tools, on a model under its own name."""
    settings = replace(settings or Settings(), journal=False)
    async with Engine(Config()) as engine:
        served = Served(engine, (), {model.info.name: Opened(model)})
        house = House.of(engine, served, settings)
        async with Client(server(house), mode=mode) as client:
            yield Agent(client, house)

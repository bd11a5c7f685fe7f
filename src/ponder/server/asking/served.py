"""The models that a server lends: by name, and by name with an effort."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches

from ponder.models.config import Config
from ponder.models.opening import Opened
from ponder.planning.presets import PRESETS
from ponder.runtime.engine import Engine
from ponder.server.errors import ApiError


class Served:
    """The models of one server. A request can name no other.

    Args:
        engine: opens them.
        names: the models named at the start.
        given: models that are open already, by name.
    """

    def __init__(
        self, engine: Engine, names: Sequence[str], given: Mapping[str, Opened] | None = None
    ) -> None:
        self._engine, self._given = engine, dict(given or {})
        found = (*names, *self._given, *configured(engine.config))
        self.names = tuple(dict.fromkeys(found))
        self._ready = {*self._given}

    @property
    def listed(self) -> list[str]:
        """Every name that a request may give as ``model``."""
        return listed(self.names)

    def split(self, asked: str) -> tuple[str, str | None]:
        """Return the model and the effort of ``NAME`` or ``NAME:EFFORT``.

        Raises:
            ApiError: the server has no such model.
        """
        if asked in self.names:
            return asked, None
        name, _, effort = asked.rpartition(":")
        if name in self.names and effort in PRESETS:
            return name, effort
        near = get_close_matches(asked, self.names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(self.names)}."
        raise ApiError(
            f"there is no model {asked[:100]!r} here: {hint}",
            404,
            param="model",
            code="model_not_found",
        )

    def ready(self, name: str) -> bool:
        """Return True if the model has been opened before."""
        return name in self._ready

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[Opened]:
        """Yield a model, opened if necessary."""
        if name in self._given:
            yield self._given[name]
            return
        async with self._engine.model(name) as used:
            self._ready.add(name)
            yield used


def listed(names: Sequence[str]) -> list[str]:
    """Return models by name, and by name with each effort."""
    efforts = [f":{effort}" for effort in PRESETS]
    return [name + effort for name in names for effort in ("", *efforts)]


def configured(config: Config) -> list[str]:
    """Return the chat models of ``ponder.toml`` that may be used without being named by a person:
    an endpoint off this machine that a project's file defines may not.
    """
    return [
        name
        for name, endpoint in config.endpoints.items()
        if endpoint.trusted and not endpoint.refusal and not endpoint.reward
    ]

"""Every strategy, by name. A new one is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import UnknownName
from ponder.core.trace import Trace
from ponder.strategies.best_of_n import best_of_n
from ponder.strategies.direct import direct
from ponder.strategies.knobs import Knob, knobs
from ponder.strategies.self_consistency import self_consistency

Function = Callable[..., Awaitable[Trace]]
RUN = "run"
"""Stands for whichever verifier the run was given."""


def _none(values: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy's function, one line on it, its paper, and which verifier it asks.

    ``verifier`` maps the knobs to a verifier's name, to ``RUN``, or to nothing.
    """

    function: Function
    summary: str
    paper: str
    verifier: Callable[[Mapping[str, Any]], str] = _none

    @property
    def knobs(self) -> dict[str, Knob]:
        """Its knobs, by name."""
        return knobs(self.function)


def _weighing(values: Mapping[str, Any]) -> str:
    return {"votes": "", "confidence": "mean_logprob", "score": RUN}[values["weight"]]


def _always(values: Mapping[str, Any]) -> str:
    return RUN


STRATEGIES: dict[str, Strategy] = {
    "direct": Strategy(direct, "one chain, taken as it comes", ""),
    "self_consistency": Strategy(
        self_consistency, "independent chains vote", "Wang 2023; Aggarwal 2023", _weighing
    ),
    "best_of_n": Strategy(best_of_n, "a verifier picks", "Cobbe 2021; Li 2023", _always),
}


def find(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        UnknownName: there is none; names the nearest.
    """
    if name not in STRATEGIES:
        raise UnknownName("strategy", name, STRATEGIES)
    return STRATEGIES[name]

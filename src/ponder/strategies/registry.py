"""All strategies, by name. A new one needs its own file, its tests, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponder.core.errors import UnknownName
from ponder.strategies import declaring
from ponder.strategies.chains.budget_forcing import budget_forcing
from ponder.strategies.chains.decompose import decompose
from ponder.strategies.chains.direct import direct
from ponder.strategies.chains.early_exit import early_exit
from ponder.strategies.chains.program import program
from ponder.strategies.chains.refine import refine
from ponder.strategies.chains.sequential_parallel import sequential_parallel
from ponder.strategies.climbing.auto import auto
from ponder.strategies.deciding.decide import decide
from ponder.strategies.declaring import Chosen, Strategy
from ponder.strategies.search.ab_mcts import ab_mcts
from ponder.strategies.search.beam_search import beam_search
from ponder.strategies.search.dvts import dvts
from ponder.strategies.search.mcts import mcts
from ponder.strategies.search.particle_filter import particle_filter
from ponder.strategies.search.tree_of_thoughts import tree_of_thoughts
from ponder.strategies.search.verify_and_backtrack import verify_and_backtrack
from ponder.strategies.votes.aggregate import aggregate
from ponder.strategies.votes.best_of_n import best_of_n
from ponder.strategies.votes.confident import confident
from ponder.strategies.votes.mixture import mixture
from ponder.strategies.votes.self_consistency import self_consistency

_ALL = (
    *(direct, self_consistency, confident, best_of_n, beam_search, dvts, budget_forcing),
    *(early_exit, decompose, refine, mixture, aggregate, sequential_parallel, tree_of_thoughts),
    *(verify_and_backtrack, mcts, ab_mcts, particle_filter, program, decide, auto),
)
STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in _ALL}


def find(name: str) -> Strategy:
    """Return the strategy of that name.

    Raises:
        UnknownName: there is none; the message suggests the nearest.
    """
    if name not in STRATEGIES:
        raise UnknownName("strategy", name, STRATEGIES)
    return STRATEGIES[name]


def choose(name: str, given: Mapping[str, Any]) -> Chosen:
    """Resolve a strategy with the given knobs, and its members.

    Raises:
        UnknownName, UsageError: as ``find``; or a knob is invalid.
    """
    return declaring.choose(find(name), given, find)

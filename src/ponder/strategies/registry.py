"""Every strategy, by name. A new one is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import UnknownName
from ponder.core.trace import Trace
from ponder.strategies.ab_mcts import ab_mcts
from ponder.strategies.beam_search import beam_search
from ponder.strategies.best_of_n import best_of_n
from ponder.strategies.budget_forcing import budget_forcing
from ponder.strategies.confident import confident
from ponder.strategies.decompose import decompose
from ponder.strategies.direct import direct
from ponder.strategies.dvts import dvts
from ponder.strategies.early_exit import early_exit
from ponder.strategies.knobs import Knob, knobs
from ponder.strategies.mcts import mcts
from ponder.strategies.mixture import mixture, named
from ponder.strategies.particle_filter import particle_filter
from ponder.strategies.refine import refine
from ponder.strategies.self_consistency import self_consistency
from ponder.strategies.sequential_parallel import sequential_parallel
from ponder.strategies.tree_of_thoughts import tree_of_thoughts
from ponder.strategies.verify_and_backtrack import verify_and_backtrack

Function = Callable[..., Awaitable[Trace]]
STEPS = ("prefill", "stop")
"""What growing a chain by steps needs."""
RUN = "run"
"""Stands for whichever verifier the run was given."""


def _none(values: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy's function, one line on it, its paper, and which verifier it asks.

    ``verifier`` maps the knobs to a verifier's name, to ``RUN``, or to nothing. ``needs`` are the
    capabilities that a model must have, ``more`` those that knobs add. ``models`` maps the knobs to
    the models that it asks beside the run's own.
    """

    function: Function
    summary: str
    paper: str
    verifier: Callable[[Mapping[str, Any]], str] = _none
    needs: tuple[str, ...] = ()
    more: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda values: ()
    models: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda values: ()

    @property
    def knobs(self) -> dict[str, Knob]:
        """Its knobs, by name."""
        return knobs(self.function)


def _weighing(values: Mapping[str, Any]) -> str:
    return {"votes": "", "confidence": "mean_logprob", "score": RUN}[values["weight"]]


def _best(values: Mapping[str, Any]) -> str:
    return RUN if values["pick"] == "best" else ""


def _valued(values: Mapping[str, Any]) -> str:
    return RUN if values["value"] == "verifier" else ""


def _always(values: Mapping[str, Any]) -> str:
    return RUN


STRATEGIES: dict[str, Strategy] = {
    "direct": Strategy(direct, "one chain, taken as it comes", ""),
    "self_consistency": Strategy(
        self_consistency, "independent chains vote", "Wang 2023; Aggarwal 2023", _weighing
    ),
    "confident": Strategy(
        confident,
        "chains that become unsure are stopped, the others vote",
        "Fu 2025",
        needs=("logprobs", *STEPS),
    ),
    "best_of_n": Strategy(best_of_n, "a verifier picks", "Cobbe 2021; Li 2023", _always),
    "beam_search": Strategy(
        beam_search, "the best beginnings are continued", "Snell 2024", _always, STEPS
    ),
    "dvts": Strategy(
        dvts, "trees of their own, each searched greedily", "Beeching 2024", _always, STEPS
    ),
    "budget_forcing": Strategy(
        budget_forcing, "one chain is made to think longer", "Muennighoff 2025", needs=STEPS
    ),
    "early_exit": Strategy(
        early_exit, "one chain is probed, and stopped when it has settled", "Fu 2024", needs=STEPS
    ),
    "decompose": Strategy(decompose, "smaller questions first", "Zhou 2022"),
    "refine": Strategy(refine, "attempts are criticised and revised", "Madaan 2023", _always),
    "mixture": Strategy(
        mixture,
        "several models vote, or debate",
        "Li 2024; Du 2023",
        _best,
        models=lambda values: named(values["models"]),
    ),
    "sequential_parallel": Strategy(
        sequential_parallel, "chains, each revised in turn", "Snell 2024", _best
    ),
    "tree_of_thoughts": Strategy(
        tree_of_thoughts,
        "steps valued by the model, breadth or depth first",
        "Yao 2023",
        _valued,
        STEPS,
    ),
    "verify_and_backtrack": Strategy(
        verify_and_backtrack,
        "a chain that goes back where a step does not hold",
        "Yao 2023",
        _always,
        STEPS,
    ),
    "mcts": Strategy(
        mcts,
        "a tree of steps, visited where it pays",
        "Kocsis 2006; Hao 2023",
        _always,
        STEPS,
        lambda values: ("logprobs",) if values["rule"] == "puct" else (),
    ),
    "ab_mcts": Strategy(
        ab_mcts, "a tree of attempts, wider or deeper by their scores", "Inoue 2025", _always
    ),
    "particle_filter": Strategy(
        particle_filter, "chains are resampled by weight", "Puri 2025", _always, STEPS
    ),
}


def find(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        UnknownName: there is none; names the nearest.
    """
    if name not in STRATEGIES:
        raise UnknownName("strategy", name, STRATEGIES)
    return STRATEGIES[name]

"""Every strategy, by name. A new one is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ponder.core.errors import UnknownName, UsageError
from ponder.core.session import Part
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
from ponder.strategies.knobs import Knob, knobs, read
from ponder.strategies.mcts import mcts
from ponder.strategies.members import Member, listed, members
from ponder.strategies.mixture import mixing
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
    capabilities that a model must have, ``more`` those that knobs add. ``members`` maps the knobs
    to the strategies that it delegates to.
    """

    function: Function
    summary: str
    paper: str
    verifier: Callable[[Mapping[str, Any]], str] = _none
    needs: tuple[str, ...] = ()
    more: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda values: ()
    members: Callable[[Mapping[str, Any]], tuple[Member, ...]] = lambda values: ()

    @property
    def knobs(self) -> dict[str, Knob]:
        """Its knobs, by name."""
        return knobs(self.function)

    def parts(self, values: Mapping[str, Any]) -> list[tuple[str, Strategy, dict[str, Any]]]:
        """Whom it delegates to: by which model, what, and all knobs of that with their values."""
        return [(member.model, *_resolved(member)) for member in self.members(values)]

    def models(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The models that it asks beside the run's own."""
        found = [name for by, what, own in self.parts(values) for name in (by, *what.models(own))]
        return tuple(dict.fromkeys(filter(None, found)))

    def steps(self, values: Mapping[str, Any]) -> bool:
        """Whether all its chains grow step by step, so that any of them can be made to answer."""
        parts = [what for _, what, _ in self.parts(values)]
        return all(part.needs == STEPS for part in parts or [self])

    def needed(self, values: Mapping[str, Any], model: str = "") -> tuple[str, ...]:
        """The capabilities that the run's own model must have, or another one that it asks."""
        found = () if model else self.needs + self.more(values)
        for by, what, own in self.parts(values):
            if by == model:
                found += what.needed(own)
        return tuple(dict.fromkeys(found))


def _weighing(values: Mapping[str, Any]) -> str:
    return {"votes": "", "confidence": "mean_logprob", "score": RUN}[values["weight"]]


def _best(values: Mapping[str, Any]) -> str:
    return RUN if values["pick"] == "best" else ""


def _mixed(values: Mapping[str, Any]) -> str:
    asked = {_best(values)} | {s.verifier(own) for s, own in map(_resolved, _members(values))}
    if len(asked - {""}) > 1:
        raise UsageError(
            "these strategies of a mixture ask different verifiers, and a run has one: leave out "
            "weight=confidence, or those that ask the run's."
        )
    return max(asked)


def _members(values: Mapping[str, Any]) -> tuple[Member, ...]:
    return members(values["strategies"], values["models"])


def _resolved(member: Member) -> tuple[Strategy, dict[str, Any]]:
    """A member's strategy, and all knobs of that with their values."""
    strategy = find(member.strategy)
    if strategy.function is MIXTURE:
        raise UsageError("a mixture cannot be part of a mixture: name its strategies instead.")
    return strategy, read(strategy.knobs, member.knobs)


def _part(member: Member) -> Part:
    strategy, values = _resolved(member)
    return partial(strategy.function, **values)


def _valued(values: Mapping[str, Any]) -> str:
    return RUN if values["value"] == "verifier" else ""


def _always(values: Mapping[str, Any]) -> str:
    return RUN


MIXTURE = mixing(_part)
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
        MIXTURE,
        "several models or strategies vote, or debate",
        "Li 2024; Du 2023",
        _mixed,
        members=_members,
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
        ab_mcts,
        "a tree of attempts, wider or deeper by their scores",
        "Inoue 2025",
        _always,
        members=lambda values: tuple(Member("direct", model=m) for m in listed(values["models"])),
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

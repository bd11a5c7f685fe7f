"""A plan: every name in a run, resolved to an object, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ponder.planning.spec import Spec
from ponder.strategies import registry
from ponder.strategies.declaring import Chosen
from ponder.verifiers.base import Tools, Verifier
from ponder.verifiers.registry import known


@dataclass(frozen=True, slots=True)
class Plan:
    """A run on one problem, ready to start."""

    spec: Spec
    """The journaled value that it was made from: problem, sampling, budget, seed, and names."""
    chosen: Chosen
    """The strategy with its knobs, and its members with theirs."""
    verifiers: Mapping[str, Verifier]
    """The verifiers that the run may use, by name."""
    needs: Mapping[str, tuple[str, ...]]
    """The models that draw samples, '' for the run's own, and their required capabilities."""
    judges: tuple[str, ...]
    """The models that only verifiers use."""

    @property
    def others(self) -> tuple[str, ...]:
        """The models to open besides the run's own."""
        return tuple(dict.fromkeys([*self.judges, *filter(None, self.needs)]))


def resolve(asked: Spec, tools: Tools | None = None) -> Plan:
    """Resolve the names in a spec. ``tools`` are those that its verifiers may use.

    Raises:
        UnknownName: there is no such strategy, knob, member or verifier.
        UsageError: a value is invalid, or values contradict each other, or the strategy cannot give
            answers of the problem's type.
    """
    chosen = registry.choose(asked.strategy, asked.knobs)
    chosen.suit(asked.problem)
    verifiers = known(asked.verifier, tools=tools)
    needs = {model: chosen.needs(model) for model in ("", *chosen.models)}
    judges = dict.fromkeys(name for verifier in verifiers.values() for name in verifier.models)
    return Plan(asked, chosen, verifiers, needs, tuple(judges))

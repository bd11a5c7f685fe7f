"""A plan: everything that a run names, resolved to objects, once."""

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
    """How one problem is answered."""

    spec: Spec
    """What it was made from, which is journaled: problem, sampling, budget, seed, and names."""
    chosen: Chosen
    """The strategy with its knobs, and its members with theirs."""
    verifiers: Mapping[str, Verifier]
    """The verifiers that the run can ask, by name."""
    needs: Mapping[str, tuple[str, ...]]
    """The models that draw samples, '' for the run's own, and what each must be able to do."""
    judges: tuple[str, ...]
    """The models that only verifiers ask."""

    @property
    def others(self) -> tuple[str, ...]:
        """The models to open beside the run's own."""
        return tuple(dict.fromkeys([*self.judges, *filter(None, self.needs)]))


def resolve(asked: Spec, tools: Tools | None = None) -> Plan:
    """Resolve what a spec names. ``tools`` are what its verifiers may use.

    Raises:
        UnknownName: there is no such strategy, knob, member or verifier.
        UsageError: a value does not fit, or several do not go together.
    """
    chosen = registry.choose(asked.strategy, asked.knobs)
    verifiers = known(asked.verifier, tools=tools)
    needs = {model: chosen.needs(model) for model in ("", *chosen.models)}
    judges = dict.fromkeys(name for verifier in verifiers.values() for name in verifier.models)
    return Plan(asked, chosen, verifiers, needs, tuple(judges))

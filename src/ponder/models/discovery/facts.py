"""Facts about an endpoint, and how each is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ponder.models.base import Capability

How = Literal["assumed", "told", "probed", "configured"]
"""How a fact is known, weakest first."""
HOW: tuple[How, ...] = get_args(How)
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)


@dataclass(frozen=True, slots=True)
class Fact:
    """One value."""

    value: Any
    how: How
    source: str = ""
    """The address, the command or the table that it comes from."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one model at one server."""

    server: str = ""
    """Kind of the server: a provider's name; '' if unknown."""
    version: str = ""
    model: str = ""
    """Its name at the server."""
    models: tuple[str, ...] = ()
    """The names of all models there."""
    found: Mapping[str, Fact] = field(default_factory=dict)
    """By name: a capability, a setting of ``Endpoint``, or one of ``price``, ``trained`` (the
    model's own context), ``slots`` (requests that run at once).
    """

    def value(self, name: str) -> Any:
        """Return the value of a fact; None if it is not known."""
        fact = self.found.get(name)
        return fact.value if fact else None

    def having(self, how: How, source: str, **values: Any) -> Facts:
        """Return these facts with others; one that is known better stays. None is no value."""
        fresh = {name: Fact(v, how, source) for name, v in values.items() if v is not None}
        return replace(self, found=_better(self.found, fresh))

    def joined(self, other: Facts) -> Facts:
        """Return these facts and those; of two about the same, the one that is known better."""
        return replace(self, found=_better(self.found, other.found))


def _better(held: Mapping[str, Fact], fresh: Mapping[str, Fact]) -> dict[str, Fact]:
    kept = {
        name: fact
        for name, fact in fresh.items()
        if name not in held or HOW.index(fact.how) >= HOW.index(held[name].how)
    }
    return {**held, **kept}


def settings_of(facts: Facts, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``Endpoint``: the configured ones, and for the others the facts.

    ``n`` is never switched on here: samples that share a request share their seed and their fate.
    """
    settings = dict(configured)
    for name in ("context", "parameters", "prefill", "think_open", "efforts", "dialect"):
        value = facts.value(name)
        if value is not None and not settings.get(name):
            settings[name] = value
    if not settings.get("model"):
        settings["model"] = facts.model
    if "capabilities" not in configured:
        has = {name for name in CAPABILITIES if facts.value(name)} - {"n", "prefill"}
        said = any(name in facts.found for name in CAPABILITIES)
        if said:
            settings["capabilities"] = frozenset(has)
    return settings


def configured(settings: Mapping[str, Any]) -> Facts:
    """Return what ``ponder.toml`` says of an endpoint."""
    names = ("context", "parameters", "prefill", "think_open", "efforts", "dialect")
    values = {name: settings[name] for name in names if settings.get(name)}
    if "capabilities" in settings:
        values |= {name: name in settings["capabilities"] for name in CAPABILITIES}
    if values.get("prefill", "none") != "none":
        values["prefill_works"] = True
    return Facts(model=settings.get("model", "")).having("configured", "ponder.toml", **values)


def names(rows: Iterable[Any]) -> tuple[str, ...]:
    """Return the ids of a list of models, without anything that is no name."""
    ids = (row.get("id") for row in rows if isinstance(row, dict))
    return tuple(one for one in ids if isinstance(one, str) and one)

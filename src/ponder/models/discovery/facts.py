"""Facts about an endpoint, and how each is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ponder.models.base import Capability

How = Literal["assumed", "told", "probed", "configured"]
"""Ways in which a fact is known, weakest first."""
HOW: tuple[How, ...] = get_args(How)
ABLE = tuple(name for name in get_args(Capability) if name not in ("prefill", "first_logprobs"))
"""Capabilities that are facts of this name, true or false; ``prefill`` is the way to do it, and no
server has ``first_logprobs`` alone.
"""


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
    model's own context), ``slots`` (requests that run at once), ``marks`` (its mark of thinking),
    ``opens`` (True if the prompt begins the thinking).
    """
    remarks: tuple[str, ...] = ()
    """Settings that do not fit the server, for a person."""

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


_WAYS = {
    "final_message": "continues the last message by itself",
    "continue_final_message": "continues a message only if continue_final_message asks for it",
    "none": "does not continue a message",
}


def misfits(name: str, own: Facts, server: Facts) -> tuple[str, ...]:
    """Return a remark if ``prefill`` is set by hand and the server is known to want it otherwise.

    That it does not continue a message counts only from a probe; of llama.cpp it doesn't, since
    some templates let a message be continued only without thinking, which is then switched off.
    """
    asked, does = own.value("prefill"), server.found.get("prefill")
    if does is None or asked in (None, "none", does.value):
        return ()
    if does.value == "none" and (does.how != "probed" or server.server == "llamacpp"):
        return ()
    return (
        f'{name}: prefill = "{asked}" does not fit {server.server or "the server"}, which '
        f'{_WAYS[does.value]} ({does.how}): write prefill = "{does.value}" in ponder.toml.',
    )


SETTINGS = (
    "context", "parameters", "prefill", "think_open", "efforts", "dialect", "api", "drop", "stream",
    "max_tokens_field", "beside",
)  # fmt: skip
"""Arguments of ``Endpoint`` that may be discovered, apart from its capabilities."""


def settings_of(facts: Facts, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``Endpoint``: the configured ones, and for the others the facts.

    ``n`` is never switched on here: samples that share a request share their seed and their fate.
    """
    settings = dict(configured)
    for name in SETTINGS:
        value = facts.value(name)
        if value is not None and settings.get(name, "") == "":
            settings[name] = value
    if not settings.get("model"):
        settings["model"] = facts.model
    if "capabilities" not in configured:
        has = {name for name in ABLE if facts.value(name)} - {"n"}
        if {"seed", "stop"} & facts.found.keys():
            settings["capabilities"] = frozenset(has)
        elif has:
            settings["capabilities"] = frozenset(has | {"seed", "stop"})
    return settings


def configured(settings: Mapping[str, Any]) -> Facts:
    """Return what ``ponder.toml`` says of an endpoint."""
    values = {name: settings[name] for name in SETTINGS if settings.get(name)}
    if "capabilities" in settings:
        values |= {name: name in settings["capabilities"] for name in ABLE}
    return Facts(model=settings.get("model", "")).having("configured", "ponder.toml", **values)


def assumed(preset: Mapping[str, Any]) -> Facts:
    """Return what Ponder's own tables say of a model."""
    values = {name: value for name, value in preset.items() if name in SETTINGS}
    if "capabilities" in preset:
        values |= {name: name in preset["capabilities"] for name in ABLE}
    return Facts().having("assumed", "its name", **values)


def names(rows: Iterable[Any]) -> tuple[str, ...]:
    """Return the ids of a list of models, without anything that is no name."""
    ids = (row.get("id") for row in rows if isinstance(row, dict))
    return tuple(one for one in ids if isinstance(one, str) and one)

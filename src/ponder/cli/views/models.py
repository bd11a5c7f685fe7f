"""Models for a person: those that can be asked now, and all that is known of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from ponder.cli.output.tables import table
from ponder.cli.output.terminal import say, show
from ponder.models import catalog
from ponder.models.base import Pricing
from ponder.models.catalog import Entry
from ponder.models.config import EndpointConfig
from ponder.models.discovery.facts import ABLE, Fact, Facts
from ponder.models.discovery.reachable import Found
from ponder.models.learned import Learned
from ponder.models.names import GgufFile, SimulatedWorld
from ponder.models.openvino import converted
from ponder.planning.capabilities import lacking

EMBEDDED = ("prefill", "logprobs", "seed", "stop")
"""Capabilities of the embedded engine and of the simulated world."""
LABELS = {
    "context": "context", "trained": "the model's own context", "slots": "requests at once",
    "parameters": "parameters", "efforts": "levels of thinking", "marks": "mark of thinking",
    "opens": "prompt opens thinking", "dialect": "dialect", "max_tokens_field": "limit is called",
    "drop": "does not take", "beside": "thinking beside the length",
}  # fmt: skip
WORDS = {
    "ready": "ready", "silent": "nothing answers", "absent": "no such model",
    "unasked": "not asked", "invalid": "cannot be asked",
}  # fmt: skip


def reachable_table(found: Sequence[Found]) -> Table:
    """Return a table of endpoints, servers and vendors."""
    rows = [
        {"name": one.name, "address": one.address, "state": one.note or WORDS[one.state]}
        for one in found
    ]
    return table(rows, whole=("name",))


def learned_row(made: Learned) -> dict[str, str]:
    """Return the cells of a learned model in the list of models."""
    size = converted.size(made.path)
    state = "learned" if made.sound else "damaged"
    return {
        "name": made.full_name,
        "size": megabytes(made.size),
        "licence": catalog.find(made.base).licence if catalog.own(made.base) else "unknown",
        "state": f"{state}, converted ({megabytes(size)})" if size else state,
    }


def learned_json(made: Learned) -> dict[str, Any]:
    """Return a learned model in the list of models, as JSON."""
    base = catalog.find(made.base) if catalog.own(made.base) else None
    return {
        "name": made.full_name,
        "default": False,
        "parameters": base.parameters if base else 0,
        "download_bytes": 0,
        "licence": base.licence if base else "",
        "state": "ready" if made.sound else "damaged",
        "bytes_on_disk": made.size + converted.size(made.path),
        "path": str(made.path),
        "base": made.base,
        "created": made.created,
        "card": made.card,
    }


def megabytes(size: int) -> str:
    """Return a size for a person."""
    return f"{size / 1e6:,.0f} MB"


def shown_endpoint(
    endpoint: EndpointConfig, facts: Facts, price: tuple[Pricing | None, str]
) -> dict[str, Any]:
    """Return what is known of an endpoint, as JSON."""
    settings = endpoint.settings
    has = set(settings.get("capabilities", ("seed", "stop")))
    if settings.get("prefill", "none") != "none":
        has.add("prefill")
    found = {name: fact for name in LABELS if (fact := facts.found.get(name)) and _says(fact)}
    known = {name: facts.found.get(name, Fact(None, "assumed")) for name in ABLE}
    prefill = facts.found.get("prefill", Fact(None, "assumed"))
    able = {
        **known,
        "prefill": Fact(prefill.value not in (None, "none"), prefill.how, prefill.source),
    }
    return {
        "name": endpoint.name,
        "model": endpoint.model,
        "server": " ".join(filter(None, (facts.server, facts.version))),
        "address": endpoint.base_url,
        "api": settings.get("api", "chat"),
        "key": settings.get("key_env", ""),
        "local": bool(settings.get("local", False)),
        "facts": {name: _json(fact) for name, fact in found.items()},
        "capabilities": {
            name: _json(Fact(name in has or bool(fact.value), fact.how, fact.source))
            | {"used": name in has}
            | ({"way": prefill.value} if name == "prefill" and fact.value else {})
            for name, fact in able.items()
        },
        "price": _price(price[0]),
        "price_note": price[1],
        "remarks": list(facts.remarks),
        "lacks": _lacks(has),
    }


def shown_here(name: str, found: Entry | Learned | GgufFile | SimulatedWorld) -> dict[str, Any]:
    """Return what is known of a model on this machine without loading it."""
    shown: dict[str, Any] = {"name": name, "server": "simulated"}
    if isinstance(found, Entry):
        status = catalog.status(found)
        shown |= {
            "server": "the embedded engine", "address": str(status.path), "state": status.state,
            "licence": found.licence,
        }  # fmt: skip
        if found.parameters:
            fact = Fact(found.parameters, "told", "the catalogue")
            shown["facts"] = {"parameters": _json(fact)}
    elif isinstance(found, GgufFile):
        shown |= {"server": "the embedded engine", "address": str(found.path)}
    elif isinstance(found, Learned):
        base = catalog.find(found.base)
        shown |= {
            "server": "the embedded engine", "address": str(found.path), "state": "ready",
            "licence": base.licence, "learned from": found.base, "created": found.created,
            "card": dict(found.card),
            "facts": {"parameters": _json(Fact(base.parameters, "told", "the catalogue"))},
        }  # fmt: skip
    able = {name: Fact(name in EMBEDDED, "assumed", shown["server"]) for name in (*ABLE, "prefill")}
    shown["capabilities"] = {n: _json(fact) | {"used": fact.value} for n, fact in able.items()}
    shown["lacks"] = _lacks(set(EMBEDDED))
    return shown


def show_facts(shown: Mapping[str, Any]) -> None:
    """Print what is known of one model."""
    rows: list[dict[str, str]] = []
    for name in (
        "name", "model", "server", "address", "api", "key", "state", "licence", "learned from",
        "created", "card",
    ):  # fmt: skip
        if shown.get(name):
            rows.append({"": name, "value": str(shown[name])})
    for name, fact in shown.get("facts", {}).items():
        rows.append({"": LABELS[name], "value": _said(fact["value"]), "known": _known(fact)})
    for name, fact in shown["capabilities"].items():
        value = fact.get("way") or ("yes" if fact["value"] else "no")
        if fact["value"] and not fact["used"]:
            value = "yes, and unused unless capabilities in ponder.toml name it"
        rows.append({"": name, "value": value, "known": _known(fact)})
    if shown.get("price"):
        price = shown["price"]
        value = f"{price['input']:g} in, {price['output']:g} out: USD per million tokens"
        rows.append({"": "price", "value": value, "known": shown["price_note"]})
    elif shown.get("price_note"):
        rows.append({"": "price", "value": shown["price_note"]})
    show(table(rows))
    say()
    for remark in shown.get("remarks", ()):
        say(remark)
    lacks = {name: needs for name, needs in shown["lacks"].items() if needs}
    works = [name for name in shown["lacks"] if name not in lacks]
    say(f"strategies that work: {', '.join(works)}")
    for needs in dict.fromkeys(map(tuple, lacks.values())):
        names = [name for name, lacking in lacks.items() if tuple(lacking) == needs]
        say(f"lack {' and '.join(needs)}: {', '.join(names)}")


def _says(fact: Fact) -> bool:
    """Return True unless the value is an empty list."""
    return not isinstance(fact.value, tuple | frozenset | set) or bool(fact.value)


def _lacks(has: set[str]) -> dict[str, list[str]]:
    return {name: list(needs) for name, needs in lacking(has).items()}


def _json(fact: Fact) -> dict[str, Any]:
    value = fact.value
    if isinstance(value, tuple | frozenset | set):
        value = sorted(value) if not isinstance(value, tuple) else list(value)
    return {"value": value, "how": fact.how, "source": fact.source}


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _known(fact: Mapping[str, Any]) -> str:
    return f"{fact['how']} ({fact['source']})" if fact["source"] else str(fact["how"])


def _price(pricing: Pricing | None) -> dict[str, float] | None:
    """Return USD per million tokens, by the price of a thousand: long prompts may cost more."""
    if pricing is None:
        return None
    asked = {"input": (1000, 0, 0), "cached_input": (1000, 1000, 0), "output": (0, 0, 1000)}
    return {name: pricing(*tokens) * 1000 / 10**12 for name, tokens in asked.items()}

"""Facts that hosted vendors tell of a model, in lists that cost nothing, each in its own shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from ponder.models.discovery.facts import Facts, names
from ponder.models.http.asking import Asker, Json
from ponder.models.sound import count
from ponder.models.thinking import LEVELS


async def openrouter(ask: Asker, model: str) -> Facts:
    """Return what OpenRouter's list says: context, parameters, levels of thinking, price."""
    rows = (await ask.get("models")).rows("data")
    facts = Facts("openrouter", "", model, names(rows))
    row = next((row for row in rows if row.get("id") == model), None)
    if row is None:
        return facts
    takes = row.get("supported_parameters")
    if isinstance(takes, list):
        able = {name: name in takes for name in ("seed", "stop", "logprobs", "top_logprobs")}
        able |= {"tools": "tools" in takes, "schema": "structured_outputs" in takes}
        facts = facts.having("told", "/models", **able, native_thinking="reasoning" in takes)
    kind = row.get("architecture")
    sees = kind.get("input_modalities") if isinstance(kind, dict) else None
    if isinstance(sees, list):
        facts = facts.having("told", "/models", images="image" in sees)
    thinking = row.get("reasoning")
    if isinstance(thinking, dict):
        facts = facts.having("told", "/models", efforts=_levels(thinking.get("supported_efforts")))
    context = count(row.get("context_length")) or None
    return facts.having("told", "/models", context=context, price=_price(row.get("pricing")))


async def anthropic(ask: Asker, model: str) -> Facts:
    """Return what Anthropic's models API says: context, and the kinds and levels of thinking."""
    told = (await ask.get(f"models/{model}")).table
    facts = Facts("anthropic", "", model)
    facts = facts.having("told", "/models", context=count(told.get("max_input_tokens")) or None)
    able = told.get("capabilities")
    able = able if isinstance(able, dict) else {}
    effort, thinking = able.get("effort"), able.get("thinking")
    if isinstance(effort, dict):
        levels = [level for level in LEVELS if _supported(effort.get(level))]
        facts = facts.having("told", "/models", efforts=tuple(levels) or None)
    if isinstance(thinking, dict):
        facts = facts.having("told", "/models", native_thinking=_supported(thinking))
    return facts


async def gemini(ask: Asker, model: str) -> Facts:
    """Return what Gemini's models API says: the longest prompt, and if it thinks."""
    told = (await ask.get(f"models/{model}")).table
    context = count(told.get("inputTokenLimit")) or None
    thinks = told.get("thinking") is True if told else None
    return Facts("gemini", "", model).having(
        "told", "/models", context=context, native_thinking=thinks
    )


async def together(ask: Asker, model: str) -> Facts:
    """Return what Together's list says, which is a bare array: context and price."""
    body = (await ask.get("models")).body
    rows = [row for row in body if isinstance(row, dict)] if isinstance(body, list) else []
    row = next((row for row in rows if row.get("id") == model), {})
    context = count(row.get("context_length")) or None
    return Facts("together", "", model, names(rows)).having("told", "/models", context=context)


async def mistral(ask: Asker, model: str) -> Facts:
    """Return what Mistral's list says: context."""
    rows = (await ask.get("models")).rows("data")
    row = next((row for row in rows if row.get("id") == model), {})
    context = count(row.get("max_context_length")) or None
    return Facts("mistral", "", model, names(rows)).having("told", "/models", context=context)


async def listed(ask: Asker, model: str) -> Facts:
    """Return what a list of mere names says."""
    answer = await ask.get("models")
    return Facts("", "", model, names(answer.rows("data")))


Teller = Callable[[Asker, str], Awaitable[Facts]]
TELLERS: dict[str, Teller] = {
    "openrouter": openrouter,
    "anthropic": anthropic,
    "gemini": gemini,
    "together": together,
    "mistral": mistral,
}
"""By the provider's name; the others tell nothing but names."""


def _levels(value: Json) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return (
        tuple(level for level in LEVELS if ("none" if level == "off" else level) in value) or None
    )


def _supported(value: Json) -> bool:
    return isinstance(value, dict) and value.get("supported") is True


def _price(value: Json) -> dict[str, str] | None:
    """Return USD per million tokens, as decimal text; None if a part is missing or variable."""
    if not isinstance(value, dict):
        return None
    names = {
        "input": "prompt",
        "output": "completion",
        "cached_input": "input_cache_read",
        "cache_write": "input_cache_write",
    }
    found: dict[str, str] = {}
    for ours, theirs in names.items():
        amount = _amount(value.get(theirs))
        if amount is not None:
            found[ours] = str(amount)
    return found if {"input", "output"} <= found.keys() else None


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(value) * 10**6 if isinstance(value, str) else None
    except ArithmeticError:
        return None
    sound = amount is not None and amount.is_finite() and 0 <= amount < 10**9
    return amount if sound else None

"""What is known of vendors' models by their names, where no server tells it.

Each vendor's room has its own table, ``preset``; this one finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ponder.models.presets.providers import Provider

Preset = Callable[[str], Mapping[str, Any]]
"""Returns arguments of ``Endpoint`` by the name of a model."""


def _mistral(model: str) -> Mapping[str, Any]:
    return {"capabilities": frozenset({"stop"})}  # it calls the seed random_seed


def _openrouter(model: str) -> Mapping[str, Any]:
    return {"capabilities": frozenset({"seed", "stop", "native_thinking"})}


def _qwen(model: str) -> Mapping[str, Any]:
    return {"capabilities": frozenset({"seed", "stop", "native_thinking"})}


def _deepseek(model: str) -> Mapping[str, Any]:
    return {"capabilities": frozenset({"stop", "logprobs", "top_logprobs", "native_thinking"})}


PRESETS: dict[str, Preset] = {
    "mistral": _mistral,
    "openrouter": _openrouter,
    "qwen": _qwen,
    "deepseek": _deepseek,
}


def preset(provider: Provider, model: str) -> dict[str, Any]:
    """Return what is known of a vendor's model, as arguments of ``Endpoint``."""
    known = PRESETS.get(provider.name)
    addresses = ("base_url", "model", "key_env", "name")  # those are the user's
    return {k: v for k, v in known(model).items() if k not in addresses} if known else {}

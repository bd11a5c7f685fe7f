"""Settings that follow from the names of vendors' models, where no server tells them.

Vendors with a room of their own have a function ``preset`` there; this one finds it.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from ponder.models.presets.providers import Provider

Preset = Callable[[str], Mapping[str, Any]]
"""Returns arguments of ``Endpoint`` by the name of a model."""
ROOMS = {"openai": "openai", "anthropic": "anthropic", "gemini": "gemini"}
"""The room of a vendor, below ``ponder.models``; its module ``families`` has the preset."""
KNOWN: dict[str, Mapping[str, Any]] = {
    "mistral": {"capabilities": frozenset({"seed", "stop"})},
    "openrouter": {"capabilities": frozenset({"seed", "stop", "native_thinking"})},
    # models that think by default answer only in a stream
    "qwen": {"capabilities": frozenset({"seed", "stop", "native_thinking"}), "stream": True},
    "deepseek": {
        "capabilities": frozenset({"stop", "logprobs", "top_logprobs", "native_thinking"})
    },
}
"""Settings of the models of vendors without a room."""


def preset(provider: Provider, model: str) -> dict[str, Any]:
    """Return what is known of a vendor's model, as arguments of ``Endpoint``.

    Address, key and name are the user's, and not among them.
    """
    if provider.name in KNOWN:
        return dict(KNOWN[provider.name])
    room = f"ponder.models.{ROOMS.get(provider.name, '')}"
    if provider.name not in ROOMS or not _has(room):
        return {}
    find: Preset = importlib.import_module(f"{room}.families").preset
    users = ("base_url", "model", "key_env", "name")
    return {name: value for name, value in find(model).items() if name not in users}


def _has(room: str) -> bool:
    """Return True if the room is here, and has a module ``families``."""
    found = importlib.util.find_spec(room)
    return found is not None and importlib.util.find_spec(f"{room}.families") is not None

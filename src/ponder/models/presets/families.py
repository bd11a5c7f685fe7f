"""Settings that follow from the names of vendors' models, where no server tells them.

Vendors with a room of their own have a function ``preset`` there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ponder.models.anthropic import families as anthropic
from ponder.models.gemini import families as gemini
from ponder.models.openai import families as openai
from ponder.models.presets.providers import Provider

Preset = Callable[[str], Mapping[str, Any]]
"""Returns arguments of ``Endpoint`` by the name of a model."""
ROOMS: dict[str, Preset] = {
    "openai": openai.preset,
    "anthropic": anthropic.preset,
    "gemini": gemini.preset,
}
"""The presets of vendors with a room of their own below ``ponder.models``."""
KNOWN: dict[str, Mapping[str, Any]] = {
    "mistral": {"capabilities": frozenset({"seed", "stop", "tools", "schema"})},
    "openrouter": {"capabilities": frozenset({"seed", "stop", "native_thinking"})},
    # models that think by default answer only in a stream
    "qwen": {
        "capabilities": frozenset({"seed", "stop", "native_thinking", "tools"}),
        "stream": True,
    },
    "deepseek": {
        "capabilities": frozenset({"stop", "logprobs", "top_logprobs", "native_thinking", "tools"})
    },
}
"""Settings of the models of vendors without a room."""


def preset(provider: Provider, model: str) -> Mapping[str, Any]:
    """Return what is known of a vendor's model, as arguments of ``Endpoint``.

    Address, key and name are the user's, and not among them.
    """
    find = ROOMS.get(provider.name)
    return find(model) if find else KNOWN.get(provider.name, {})

"""Families of OpenAI's models: what each takes, so that nothing is sent that would be refused.

From the vendor's documents and types up to GPT-5.4. Refusals teach the rest (see ``refusals``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ponder.models.base import Capability

_SAMPLING = frozenset({"temperature", "top_p"})


@dataclass(frozen=True, slots=True)
class Family:
    """Models that take the same."""

    efforts: tuple[str, ...] = ()
    """Levels of thinking, weakest first (empty: unknown)."""
    thinks: bool = True
    """True if they think by themselves: they are asked over the Responses API, which tells what
    they think, and refuse what would shape their sampling.
    """
    open: bool = False
    """True for open weights, which other servers run."""


PLAIN = Family(thinks=False)
"""GPT-3.5, 4, 4o, 4.1, and the chat models of later families."""
OPEN = Family(("low", "medium", "high"), open=True)
"""gpt-oss: it cannot be kept from thinking."""
UNKNOWN = Family()

_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"gpt-oss", OPEN),
    (r"gpt-(3\.5|4)|chatgpt|gpt-5-chat|davinci|babbage", PLAIN),
    (r"o1-(mini|preview)", Family(("medium",))),
    (r"o\d-pro", Family(("low", "medium", "high"))),
    (r"o\d", Family(("low", "medium", "high"))),
    (r"gpt-5\.\d-chat", Family(("medium",))),
    (r"gpt-5-pro", Family(("high",))),
    (r"gpt-5\.\d-pro", Family(("medium", "high", "xhigh"))),
    (r"gpt-5-codex", Family(("low", "medium", "high"))),
    (r"gpt-5\.1-codex-max", Family(("low", "medium", "high", "xhigh"))),
    (r"gpt-5\.1-codex", Family(("low", "medium", "high"))),
    (r"gpt-5\.\d-codex", Family(("low", "medium", "high", "xhigh"))),
    (r"gpt-5\.1", Family(("off", "low", "medium", "high"))),
    (r"gpt-5\.\d", Family(("off", "low", "medium", "high", "xhigh"))),
    (r"gpt-5", Family(("minimal", "low", "medium", "high"))),
)
"""Beginnings of names; the first that fits counts."""


def family_of(model: str) -> Family:
    """Return the family of a model by its name, fine-tuned or not (``ft:gpt-4.1-mini:team::x``)."""
    name = model.lower().removeprefix("ft:").rpartition("/")[2]
    return next((family for start, family in _FAMILIES if re.match(start, name)), UNKNOWN)


OPEN_ABLE: frozenset[Capability] = frozenset({"tools"})
"""Further capabilities of open models, wherever they are served."""
HOSTED: frozenset[Capability] = frozenset({"tools", "images", "schema"})
"""Further capabilities of OpenAI's models."""


def preset(model: str) -> dict[str, Any]:
    """Return arguments of ``Endpoint`` that follow from the name of a model of OpenAI's."""
    family = family_of(model)
    able: set[Capability] = {"n", "seed", "stop", "logprobs", "top_logprobs"}
    if family.open:
        able = {"seed", "stop", "native_thinking"}
    elif family.thinks:
        able = {"native_thinking"}
    able |= OPEN_ABLE if family.open else HOSTED
    return {
        "api": "responses" if family.thinks and not family.open else "chat",
        "capabilities": frozenset(able),
        "efforts": family.efforts,
        "drop": _SAMPLING if family.thinks and not family.open else frozenset(),
        "max_tokens_field": "max_tokens" if family.open else "max_completion_tokens",
        "stream": True,
    }

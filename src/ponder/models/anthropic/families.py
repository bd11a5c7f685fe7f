"""Families of Claude models: what each takes, so that nothing is sent that would be refused.

From the vendor's documents up to Claude 5.5. Refusals teach the rest (see ``refusals``): all of it
for a name without a version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ponder.models.base import Capability


@dataclass(frozen=True, slots=True)
class Family:
    """Models that take the same."""

    drop: frozenset[str]
    """Fields that they refuse, and values of ``thinking.type``, as ``thinking.enabled``."""
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    """Levels of ``output_config.effort``, weakest first."""
    prefill: bool = False
    """True if they continue the assistant's turn."""


_SAMPLING = frozenset({"temperature", "top_p"})
_NO_EFFORT = frozenset({"output_config"})
PLAIN = Family(frozenset({"thinking.adaptive", "thinking.enabled"}) | _NO_EFFORT, (), prefill=True)
"""No thinking: before Claude 3.7."""
BUDGETS = Family(frozenset({"thinking.adaptive"}) | _NO_EFFORT, (), prefill=True)
"""Numbers of tokens: Claude 3.7 to 4.5."""
BOTH = Family(frozenset(), ("low", "medium", "high", "max"))
"""Numbers of tokens and levels: Claude 4.6."""
LEVELS = Family(_SAMPLING | {"thinking.enabled"})
"""Levels, and neither temperature nor top_p: Claude 4.7 and later."""
ALWAYS = Family(LEVELS.drop | {"thinking.disabled"})
"""The same, and thinking cannot be switched off: Fable, Mythos, Opus from 5.5 on."""
UNKNOWN = Family(frozenset())


def family_of(model: str) -> Family:
    """Return the family of a model by its name (``claude-opus-4-1-20250805``)."""
    found = re.search(r"(?<!\d)(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)", model)
    if re.search("fable|mythos", model):
        return ALWAYS
    if not found:
        return UNKNOWN
    version = int(found[1]), int(found[2] or 0)
    for first, family in (((3, 7), PLAIN), ((4, 6), BUDGETS), ((4, 7), BOTH), ((5, 5), LEVELS)):
        if version < first:
            return family
    return ALWAYS if "opus" in model else LEVELS


def preset(model: str) -> dict[str, Any]:
    """Return arguments of ``Endpoint`` that follow from the name of a model of Anthropic's."""
    family = family_of(model)
    able: set[Capability] = {"stop", "tools", "images"}
    if family is not PLAIN:
        able.add("native_thinking")
    if family not in (PLAIN, BUDGETS) or re.search(r"-4[-.]5", model):
        able.add("schema")
    return {
        "api": "messages",
        "capabilities": frozenset(able),
        "prefill": "final_message" if family.prefill else "none",
        "efforts": family.efforts,
        "drop": family.drop,
        "stream": True,
    }

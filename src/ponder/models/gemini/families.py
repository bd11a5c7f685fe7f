"""Families of Gemini models: what each takes, so that nothing is sent that would be refused.

From the vendor's documents up to Gemini 3.8. Refusals teach the rest (see ``refusals``). A name
without a version is taken for the newest family.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ponder.models.base import Capability


@dataclass(frozen=True, slots=True)
class Family:
    """Models that take the same."""

    drop: frozenset[str] = frozenset()
    """Fields of ``generationConfig`` and ``thinkingConfig`` that they refuse or ignore, and the
    values of a field, as ``thinkingBudget=0``.
    """
    efforts: tuple[str, ...] = ()
    """Levels of thinking, weakest first; a model that takes any is not sent a budget."""
    budget: tuple[int, int] = (1, 32_768)
    """Least and most tokens of thinking, for models that take no levels."""


_SAMPLING = frozenset({"temperature", "topP"})
_ALL = ("minimal", "low", "medium", "high")
PLAIN = Family(frozenset({"thinkingConfig"}))
"""No thinking: before Gemini 2.5."""
PRO = Family(frozenset({"thinkingBudget=0"}), budget=(128, 32_768))
"""Gemini 2.5 Pro: thinking cannot be switched off."""
FLASH = Family(budget=(1, 24_576))
"""Gemini 2.5 Flash."""
LITE = Family(budget=(512, 24_576))
"""Gemini 2.5 Flash-Lite."""


def family_of(model: str) -> Family:
    """Return the family of a model by its name (``gemini-2.5-flash-preview-09-2025``)."""
    found = re.search(r"gemini-(\d+)(?:\.(\d+))?(?!\d)", model)
    version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
    pro, lite = "pro" in model, "lite" in model
    if version < (2, 5):
        return PLAIN
    if version < (3, 0):
        return PRO if pro else LITE if lite else FLASH
    sampling = version < (3, 6) and not (lite and version >= (3, 5))
    efforts: tuple[str, ...] = _ALL[1:]
    if pro and version < (3, 1):
        efforts = ("low", "high")
    elif lite or (not pro and version < (3, 7)):
        efforts = _ALL
    return Family(frozenset() if sampling else _SAMPLING, efforts)


def preset(model: str) -> dict[str, Any]:
    """Return arguments of ``Endpoint`` that follow from the name of a model of Gemini's."""
    family = family_of(model)
    able: set[Capability] = {"stop", "seed", "tools", "images"}
    if family is not PLAIN:
        able |= {"native_thinking", "schema"}
    return {
        "api": "gemini",
        "capabilities": frozenset(able),
        "efforts": family.efforts,
        "drop": family.drop,
        "stream": True,
    }

"""Thinking, as a chat template tells of it: its text, and the prompts that it makes."""

from __future__ import annotations

import re
from typing import Any

_SWITCH = re.compile(r"\benable_thinking\b|\bthinking\b(?=\s*(?:is|==|and|or|%}|!=))")
_MARKS = ("<think>", "<thinking>", "[THINK]", "<seed:think>", "◁think▷", "<|channel|>analysis")
_OPEN = re.compile(r"(?:<think>|<thinking>|\[THINK\]|<seed:think>|◁think▷)\s*$")


def read(template: str) -> dict[str, Any]:
    """Return the facts in the text of a template, by name.

    Only a template with a switch or a level can be asked for thinking.
    """
    levels = "reasoning_effort" in template
    facts: dict[str, Any] = {"native_thinking": bool(levels or _SWITCH.search(template))}
    if levels:
        facts["efforts"] = ("low", "medium", "high")
    if marks := [mark for mark in _MARKS if mark in template]:
        facts["marks"] = marks[0]
    return facts


def opens(prompt: str) -> bool:
    """Return True if a prompt, as the model reads it, ends with the mark that opens thinking."""
    return bool(_OPEN.search(prompt))

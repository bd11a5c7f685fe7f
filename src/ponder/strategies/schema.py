"""The knobs of a strategy as a JSON Schema, for forms and for other programs."""

from __future__ import annotations

import inspect
import re
from typing import Any

from ponder.strategies.declaring import Strategy
from ponder.strategies.knobs import Knob

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}


def schema(strategy: Strategy) -> dict[str, Any]:
    """Return an object schema with a property for each knob.

    A property has the type, default, bounds, choices and description of its knob.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": strategy.name,
        "description": strategy.summary,
        "type": "object",
        "properties": {
            knob.name: _property(knob, _told(strategy, knob)) for knob in strategy.knobs.values()
        },
        "additionalProperties": False,
    }


def _property(knob: Knob, told: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": _TYPES[knob.kind], "default": knob.default}
    if told:
        made["description"] = told
    if knob.range:
        made |= {"minimum": knob.range.low, "maximum": knob.range.high}
    if knob.other:
        of_model = {"pattern": rf"^{re.escape(knob.other)}\(.+\)$"}
        made["anyOf"] = [{"enum": list(knob.choices)}, of_model]
    elif knob.check:
        made["pattern"] = rf"^({'|'.join(map(re.escape, knob.choices))})\s*(\(.*\))?\s*$"
    elif knob.choices:
        made["enum"] = list(knob.choices)
    return made


def _told(strategy: Strategy, knob: Knob) -> str:
    """Return the description beside the knob, or the first sentence that names it.

    Sentences are those of the function's docstring, then of the module's.
    """
    if knob.about:
        return knob.about
    named = re.compile(rf"``{knob.name}(=\w+)?``|\b{knob.name} (chains|samples|attempts|times)")
    module = inspect.getmodule(strategy.function)
    for text in (strategy.function.__doc__, module and module.__doc__):
        for sentence in re.split(r"(?<=[.:])\s+(?=[A-Z`])", " ".join((text or "").split())):
            if named.search(sentence):
                return sentence.replace("``", "")
    return ""

"""The knobs of every strategy as a JSON Schema: what it allows is what the knobs allow."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from ponder.core.errors import UsageError
from ponder.strategies.knobs import read
from ponder.strategies.registry import STRATEGIES
from ponder.strategies.schema import schema


def checker(name: str) -> jsonschema.Draft202012Validator:
    made = schema(STRATEGIES[name])
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_defaults_are_valid(name: str) -> None:
    defaults = read(STRATEGIES[name].knobs, {})
    assert checker(name).is_valid(defaults)
    told = schema(STRATEGIES[name])["properties"]
    assert {knob: told[knob]["default"] for knob in told} == defaults


def outside(name: str) -> list[dict[str, Any]]:
    """Values that fit none of the knobs, one at a time."""
    found: list[dict[str, Any]] = [{"no_such_knob": 1}]
    for knob in STRATEGIES[name].knobs.values():
        found.append({knob.name: ["a list"]})
        if knob.range:
            found += [{knob.name: knob.range.low - 1}, {knob.name: knob.range.high + 1}]
        if knob.choices:
            found += [{knob.name: "no such choice"}, {knob.name: knob.other}]
        if knob.kind is int:
            found.append({knob.name: 1.5})
        if knob.kind is bool:
            found.append({knob.name: "perhaps"})
    return found


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_the_knobs_refuse_is_not_valid(name: str) -> None:
    for values in outside(name):
        assert not checker(name).is_valid(values), values
        with pytest.raises(UsageError):
            read(STRATEGIES[name].knobs, values)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_knob_is_described(name: str) -> None:
    for knob, told in schema(STRATEGIES[name])["properties"].items():
        assert told["description"][-1] in ".:", knob


def test_marks_of_a_models_own_are_valid_steps() -> None:
    valid = checker("beam_search").is_valid
    assert valid({"steps": "at(</step>)"})
    assert valid({"steps": "line"})
    assert not valid({"steps": "at()"})

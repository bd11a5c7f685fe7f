"""The tables of knobs in docs/strategies.md say what the registry says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ponder.planning.presets import COMMON, PRESETS, SHARED, preset
from ponder.strategies.knobs import Knob
from ponder.strategies.registry import STRATEGIES

TEXT = (Path(__file__).parents[1] / "docs" / "strategies.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("\n## Knobs\n")[2].partition("\n##")[0]
ROW = re.compile(r"^\| (.+?) \| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
ROWS = [(who, (knob, default, values)) for who, knob, default, values, _ in ROW.findall(SECTION)]
ALL, STEPS = "every one", "by steps"
STEPPING = re.findall(r"`(\w+)`", SECTION.partition("By steps go ")[2].partition(".")[0])

Cells = tuple[str, str, str]
"""A knob's name, default and values, as a row has them."""


def told(strategy: str) -> list[Cells]:
    groups = {f"`{strategy}`", *([STEPS] if strategy in STEPPING else [])}
    return sorted(cells for who, cells in ROWS if who in groups)


def number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def default_of(knob: Knob) -> str:
    if knob.name in COMMON:
        if knob.parsed:
            return "none"
        drawn = {getattr(preset(e, "self_consistency").sampling, knob.name) for e in PRESETS}
        return f"`{number(*drawn)}`" if len(drawn) == 1 else "the effort's"
    if knob.kind is bool:
        return f"`{str(knob.default).lower()}`"
    if knob.kind is str:
        return f"`{knob.default}`" if knob.default else "none"
    return f"`{number(knob.default)}`"


def values_of(knob: Knob) -> str:
    if knob.range:
        return f"{number(knob.range.low)} to {number(knob.range.high)}"
    choices = knob.values or (("true", "false") if knob.kind is bool else ())
    return ", ".join(f"`{choice}`" for choice in choices) or "text"


def cells_of(knob: Knob) -> Cells:
    return knob.name, default_of(knob), values_of(knob)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_knob_stands_in_the_tables_once(strategy: str) -> None:
    assert told(strategy) == sorted(map(cells_of, STRATEGIES[strategy].knobs.values()))


def test_so_do_those_of_every_strategy() -> None:
    common = [cells for who, cells in ROWS if who == ALL]
    assert common == [cells_of(knob) for knob in SHARED.values()]


def test_the_tables_name_no_strategy_that_is_not_there() -> None:
    named = {who.strip("`") for who, _ in ROWS} - {ALL, STEPS}
    assert named | {*STEPPING} <= STRATEGIES.keys()


def test_no_row_is_overlooked() -> None:
    tables = [line for line in SECTION.splitlines() if line.startswith("|")]
    heads = [line for line in tables if line.startswith(("| strategy |", "| --- |"))]
    assert len(ROWS) == len(tables) - len(heads)

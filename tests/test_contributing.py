"""CONTRIBUTING shows how to add a strategy: here somebody does as it says."""

from __future__ import annotations

import importlib.util
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.models.fakes.scripted import Scripted
from ponder.strategies import registry

GUIDE = Path(__file__).parents[1] / "CONTRIBUTING.md"


@pytest.fixture
def blocks() -> list[str]:
    """The code that the guide shows for a strategy: its file, and its line in the registry."""
    part = GUIDE.read_text(encoding="utf-8").split("## How to add a strategy")[1].split("\n## ")[0]
    return [textwrap.dedent(code) for code in re.findall(r" *```python\n(.*?) *```", part, re.S)]


@pytest.fixture
def added(blocks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The strategy of the guide, in the registry."""
    path = tmp_path / "first_of_two.py"
    path.write_text(blocks[0])
    found = importlib.util.spec_from_file_location("first_of_two", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(__import__("sys").modules, "first_of_two", module)
    found.loader.exec_module(module)
    strategy = module.first_of_two
    monkeypatch.setitem(registry.STRATEGIES, strategy.name, strategy)
    return strategy


def test_the_line_in_the_registry_is_an_import_like_the_others(blocks: list[str]) -> None:
    assert blocks[1] == "from ponder.strategies.first_of_two import first_of_two\n"
    text = Path(registry.__file__).read_text(encoding="utf-8")
    imported = re.findall(r"^from ponder\.strategies\.(\w+) import \1$", text, re.M)
    assert sorted(imported) == sorted(registry.STRATEGIES)


@pytest.mark.parametrize(("replies", "asked"), [("44", 2), ("474", 3)])
def test_the_strategy_of_the_guide_runs(added: Any, replies: str, asked: int) -> None:
    model = Scripted([f"It is \\boxed{{{reply}}}." for reply in replies])
    result = ponder.solve(
        "How many is two and two?", model=model, strategy="first_of_two", knobs={"more": 1},
        journal=False,
    )  # fmt: skip
    assert (result.answer, len(model.requests)) == ("4", asked)
    with pytest.raises(ponder.UsageError, match="'more' must be between 0 and 8"):
        ponder.solve("?", model=model, strategy="first_of_two", knobs={"more": 9}, journal=False)

"""CONTRIBUTING shows how to add a strategy, a verifier and a model: here somebody does so."""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import ponder
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from ponder.strategies import registry
from ponder.verifiers import registry as verifiers
from tests.support.deltas import check

GUIDE = Path(__file__).parents[1] / "CONTRIBUTING.md"
Load = Callable[[str, str], ModuleType]


def blocks(subject: str) -> list[str]:
    """The code that the guide shows for a subject, its file first."""
    part = GUIDE.read_text(encoding="utf-8").split(f"## How to add a {subject}")[1]
    part = part.split("\n## ")[0]
    return [textwrap.dedent(code) for code in re.findall(r" *```python\n(.*?) *```", part, re.S)]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports code as a module of that name."""

    def made(name: str, code: str) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(code)
        found = importlib.util.spec_from_file_location(name, path)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        monkeypatch.setitem(sys.modules, name, module)
        found.loader.exec_module(module)
        return module

    return made


@pytest.fixture
def strategy(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strategy of the guide, in the registry."""
    made = load("first_of_two", blocks("strategy")[0]).first_of_two
    monkeypatch.setitem(registry.STRATEGIES, made.name, made)


@pytest.fixture
def verifier(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier of the guide, in the registry by the line that it shows."""
    code, line = blocks("verifier")
    scope = {"Kind": verifiers.Kind, "brief": load("brief", code).brief}
    [(name, kind)] = eval(f"{{{line}}}", scope).items()
    monkeypatch.setitem(verifiers.KINDS, name, kind)


def test_the_line_in_the_registry_is_an_import_like_the_others() -> None:
    assert (
        blocks("strategy")[1] == "from ponder.strategies.votes.first_of_two import first_of_two\n"
    )
    text = Path(registry.__file__).read_text(encoding="utf-8")
    imported = re.findall(r"^from ponder\.strategies\.\w+\.(\w+) import \1$", text, re.M)
    assert sorted(imported) == sorted(registry.STRATEGIES)


@pytest.mark.usefixtures("strategy")
@pytest.mark.parametrize(("replies", "asked"), [("44", 2), ("474", 3)])
def test_the_strategy_of_the_guide_runs(replies: str, asked: int) -> None:
    model = Scripted([f"It is \\boxed{{{reply}}}." for reply in replies])
    result = ponder.solve(
        "How many is two and two?", model=model, strategy="first_of_two", knobs={"more": 1},
        journal=False,
    )  # fmt: skip
    assert (result.answer, len(model.requests)) == ("4", asked)
    with pytest.raises(ponder.UsageError, match="'more' must be between 0 and 8"):
        ponder.solve("?", model=model, strategy="first_of_two", knobs={"more": 9}, journal=False)


@pytest.mark.usefixtures("strategy")
def test_the_test_of_the_guide_passes() -> None:
    scope = {"Scripted": Scripted, "ponder": ponder}
    exec(blocks("strategy")[2], scope)
    scope["test_two_that_agree_are_enough"]()  # type: ignore[operator]


@pytest.mark.usefixtures("verifier")
def test_the_verifier_of_the_guide_chooses() -> None:
    model = Scripted([f"{'well ' * n}\\boxed{{{n}}}" for n in (9, 1, 5)])
    result = ponder.solve(
        "How many?", model=model, strategy="best_of_n", knobs={"n": 3}, verifier="brief(2)",
        journal=False,
    )  # fmt: skip
    assert result.answer == "1"
    assert verifiers.named("brief(2)") == []
    with pytest.raises(ponder.UsageError, match="a whole number from 1 to 100000, not 'x'"):
        verifiers.find("brief(x)")


async def test_the_model_of_the_guide_keeps_the_contract(load: Load) -> None:
    model = load("echo", blocks("model backend")[0]).Echo()
    ask = Request((Message("user", "one two three four"),), 3, watched=True)
    for request, text, finish in (
        (ask, "one two three", "length"),
        (replace(ask, max_tokens=9, stop=("four", " three")), "one two", "stop"),
        (replace(ask, max_tokens=5, watched=False), "one two three four one", "length"),
    ):
        seen: list[Delta] = []
        done = await model.generate(request, seen.append)
        check(seen, done, watched=request.watched)
        assert (done.text, done.finish, done.prompt_tokens) == (text, finish, 4)
    result = await ponder.asolve("Repeat \\boxed{42}", model=model, journal=False)
    assert result.answer == "42"

"""Verifiers by name, and combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.verifiers import registry
from ponder.verifiers.base import Facts
from ponder.verifiers.combined import Combined, combine

PROBLEM = Problem((Message("user", "?"),))
NOBODY = cast(Session, None)


@dataclass
class Fixed(Facts):
    """Gives each text a score; keeps what it was asked about."""

    name: str
    known: dict[str, float]
    listwise: bool = False
    needs_logprobs: bool = False
    models: tuple[str, ...] = ()
    asked: list[list[str]] = field(default_factory=list)

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        self.asked.append([t.text for t in traces])
        return [Score(self.known.get(t.text), self.name, f"of {t.text}") for t in traces]


async def scores(verifier: Combined, *texts: str) -> list[Score]:
    return await verifier.score(PROBLEM, [Trace(PROBLEM, text) for text in texts], NOBODY)


async def test_first_takes_the_first_that_is_decisive() -> None:
    a, b = Fixed("a", {"x": 0.0}), Fixed("b", {"x": 1.0, "y": 0.5})
    found = await scores(combine("first", [a, b]), "x", "y", "z")
    assert [(s.value, s.verifier, s.verdict) for s in found] == [
        (0.0, "a", "scored"),
        (0.5, "b", "scored"),
        (None, "first(a, b)", "abstain"),
    ]
    assert b.asked == [["y", "z"]]
    assert found[2].detail == "of z; of z"


async def test_first_asks_nobody_who_need_not_be_asked() -> None:
    a, b = Fixed("a", {"x": 0.1}), Fixed("b", {})
    await scores(combine("first", [a, b]), "x")
    assert b.asked == []


async def test_a_joint_verifier_sees_all_traces() -> None:
    a, b = Fixed("a", {"x": 0.1}), Fixed("b", {"x": 0.9, "y": 0.2}, listwise=True)
    found = await scores(combine("first", [a, b]), "x", "y")
    assert b.asked == [["x", "y"]]
    assert [s.value for s in found] == [0.1, 0.2]


async def test_product_multiplies_what_has_a_value() -> None:
    parts = [Fixed("a", {"x": 0.5, "y": 0.5}), Fixed("b", {"x": 0.5})]
    found = await scores(combine("product", parts), "x", "y", "z")
    assert [(s.value, s.verifier) for s in found] == [
        (0.25, "product(a, b)"),
        (0.5, "product(a, b)"),
        (None, "product(a, b)"),
    ]
    assert found[0].detail == "a 0.5, b 0.5"


def test_a_combination_needs_what_its_parts_need() -> None:
    parts = [
        Fixed("a", {}, needs_logprobs=True, models=("m",)),
        Fixed("b", {}, listwise=True, models=("m", "k")),
    ]
    both = combine("product", parts)
    assert (both.needs_logprobs, both.listwise, both.models) == (True, True, ("m", "k"))
    assert not combine("first", [Fixed("a", {}), Fixed("b", {})]).listwise


def test_names_are_read() -> None:
    verifier = registry.find(" first( mean_logprob, product(lowest_group,mean_logprob) ) ")
    assert verifier.name == "first(mean_logprob, product(lowest_group, mean_logprob))"
    assert registry.find(verifier.name).name == verifier.name
    assert list(registry.known("lowest_group", "")) == ["mean_logprob", "lowest_group"]


BAD = {
    "mean_logprb": "did you mean 'mean_logprob'?",
    "mean_logprob:7": "takes nothing in brackets: leave '7' out",
    "first(mean_logprob)": "combines two verifiers or more",
    "first(mean_logprob,": "at the end: expected a name",
    "second(mean_logprob, lowest_group)": "unknown verifier 'second'",
    "product(mean_logprob, no)": "unknown verifier 'no'",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r".") as refused:
        registry.find(name)
    assert BAD[name] in str(refused.value)


def test_an_argument_may_be_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = registry.Kind(lambda given: Fixed(given.model, {}), "asks", places=("MODEL",))
    monkeypatch.setitem(registry.KINDS, "ask", kind)
    with pytest.raises(UsageError, match=r"'ask' needs an argument: write ask\(MODEL\)"):
        registry.find("ask")
    assert registry.find("ask:big:one").name == "big:one"

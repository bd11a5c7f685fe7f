"""A plan is resolved once: objects for all that a spec names, and knob rules before a token."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.core.errors import CapabilityError, UsageError
from ponder.models.base import ModelInfo, Shape
from ponder.planning import capabilities
from ponder.planning.plan import Plan, resolve
from ponder.planning.wishes import spec
from ponder.strategies.registry import STRATEGIES


def plan(strategy: str, verifier: str | None = None, **knobs: Any) -> Plan:
    return resolve(spec("?", model="m", strategy=strategy, knobs=knobs, verifier=verifier))


def test_members_are_objects_with_all_their_knobs() -> None:
    made = plan("mixture", strategies="direct, beam_search(width=2)@big", models="small, small")
    members = [(m.work.strategy.name, m.model) for m in made.chosen.members]
    assert members == [("direct", ""), ("direct", "small"), ("beam_search", "big")]
    assert made.chosen.members[2].work.values["width"] == 2
    assert made.chosen.members[2].work.values["fan"] == 4  # its default
    assert made.others == ("small", "big")


def test_each_model_needs_what_its_members_do() -> None:
    made = plan("mixture", strategies="direct, beam_search@big, mcts(rule=puct)@sure")
    assert made.needs == {
        "": (),
        "big": ("prefill", "stop"),
        "sure": ("prefill", "stop", "logprobs"),
    }
    able = ModelInfo("big", frozenset({"prefill", "stop", "logprobs"}), Shape(1), local=True)
    for model in made.needs:
        capabilities.check(made, able, priced=False, model=model)
    plain = ModelInfo("plain", frozenset({"logprobs"}), Shape(1), local=True)
    capabilities.check(made, plain, priced=False)
    with pytest.raises(CapabilityError, match="'mixture' needs prefill and stop, which plain"):
        capabilities.check(made, plain, priced=False, model="big")


def test_judges_are_opened_and_need_nothing() -> None:
    made = plan("ab_mcts", "first(judge(grader, k=2), mean_logprob)", models="big")
    assert (made.judges, made.others) == (("grader",), ("grader", "big"))
    assert made.needs == {"": (), "big": ()}
    assert list(made.verifiers) == ["mean_logprob", "first(judge(grader, k=2), mean_logprob)"]


@pytest.mark.parametrize(
    ("strategy", "knobs", "why"),
    [
        ("self_consistency", {"stop": "bayes", "weight": "score"}, "stop=bayes counts votes"),
        ("confident", {"n": 8, "warmup": 8}, "no chain is left to be stopped"),
        ("beam_search", {"steps": 'at(a, "")'}, "cannot end at an empty text"),
        ("mixture", {"strategies": "confident(n=4)"}, "no chain is left to be stopped"),
        ("mixture", {"strategies": "direct(4)"}, "a strategy takes KNOB=VALUE, so '4'"),
        ("mixture", {"strategies": "mixture"}, "mixture cannot be part of itself"),
    ],
)
def test_knobs_that_do_not_go_together_are_refused_when_the_plan_is_made(
    strategy: str, knobs: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        plan(strategy, **knobs)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_plan_survives_the_journal(name: str) -> None:
    asked = spec("?", model="m", strategy=name)
    again = type(asked).from_json(asked.to_json())
    assert again == asked
    assert resolve(again).chosen == resolve(asked).chosen

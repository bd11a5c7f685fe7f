"""A model that cannot do what a plan needs is refused before anything is spent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ponder.core.errors import CapabilityError, UsageError
from ponder.models.base import Capability, ModelInfo
from ponder.planning.capabilities import check
from ponder.planning.plan import Plan, resolve
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec


def planned(**sampling: Any) -> Plan:
    made = spec("How many is six times seven?", model="m", strategy="direct")
    return resolve(replace(made, sampling=replace(made.sampling, **sampling)))


@pytest.mark.parametrize(
    ("worth", "local", "priced", "reason"),
    [
        (0.05, False, False, "a worth in dollars cannot be weighed: no price is known for m"),
        (0.05, False, True, ""),
        (0.05, True, False, ""),
        ("1e9 flops", True, True, "a worth in FLOPs cannot be weighed: the size of m is unknown"),
        ("9 tokens", False, False, ""),
        ("9 seconds", False, False, ""),
    ],
)
def test_a_worth_in_a_unit_without_a_known_price_is_refused(
    worth: float | str, local: bool, priced: bool, reason: str
) -> None:
    plan = resolve(spec("How many is six times seven?", model="m", worth=worth))
    model = ModelInfo("m", frozenset(), local=local)
    if not reason:
        check(plan, model, priced=priced)
        return
    with pytest.raises(UsageError, match=f"^{reason}"):
        check(plan, model, priced=priced)


def test_levels_of_a_model_that_does_not_think() -> None:
    made = spec("How many?", model="m", strategy="auto", knobs={"levels": "low, high"})
    with pytest.raises(CapabilityError, match=r"has no thinking of its own.*leave levels out"):
        check(resolve(made), info(), priced=True)


def info(*able: Capability) -> ModelInfo:
    return ModelInfo("m", frozenset(able), local=True)


@pytest.mark.parametrize(
    ("able", "top", "missing"),
    [
        ((), 0, "logprobs"),
        ((), 2, "logprobs"),
        (("logprobs",), 2, "top_logprobs"),
        (("logprobs",), 0, ""),
        (("logprobs", "top_logprobs"), 20, ""),
    ],
)
def test_tokens_that_a_caller_asks_for(
    able: tuple[Capability, ...], top: int, missing: str
) -> None:
    plan = planned(logprobs=True, pieces=True, top_logprobs=top)
    if not missing:
        check(plan, info(*able), priced=True)
        return
    with pytest.raises(CapabilityError, match=rf"^{missing} are asked for, which m does not give"):
        check(plan, info(*able), priced=True)


def test_a_wish_for_tokens_is_written_down_only_where_there_is_one() -> None:
    assert "pieces" not in planned().spec.to_json()["sampling"]
    wanted = planned(logprobs=True, pieces=True).spec
    assert Spec.from_json(wanted.to_json()) == wanted
    assert wanted.sampling.describe()["pieces"] is True
    assert "pieces" not in planned().spec.sampling.describe()

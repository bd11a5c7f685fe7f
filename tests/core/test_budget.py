from __future__ import annotations

from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.costs.cost import Cost
from ponder.core.errors import UsageError

LIMITS = ["tokens", "usd", "flops", "seconds"]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), -float("inf")])
def test_a_limit_is_greater_than_zero_and_finite(limit: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"the budget's {limit} must be greater than zero"):
        Budget(**{limit: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("value", ["100", True, [1]])
def test_a_limit_is_a_number(limit: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"the budget's {limit} must be a number"):
        Budget(**{limit: value})


def test_tokens_come_whole() -> None:
    with pytest.raises(UsageError, match=r"tokens must be a whole number, not 1\.5"):
        Budget(tokens=1.5)  # type: ignore[arg-type]
    assert Budget(tokens=1, usd=0.5, flops=1.5, seconds=0.1).usd == 0.5


def test_costs_add_and_subtract_unit_by_unit() -> None:
    assert Cost(1, 20, 300) + Cost(4, 50, 600) == Cost(5, 70, 900)
    assert Cost(5, 70, 900) - Cost(4, 50, 600) == Cost(1, 20, 300)

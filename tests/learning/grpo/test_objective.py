"""Advantages and the loss of group-relative policy gradients, against figures computed by hand."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.learning.grpo.objective import (
    Baseline,
    Bounds,
    Loss,
    Tensor,
    advantages,
    divisors,
    loss,
    scale_of,
    teaches,
    weights,
)

torch = pytest.importorskip("torch")
ROOT3 = math.sqrt(3)
REWARD = st.none() | st.floats(0, 1, width=16)


def test_two_prompts_by_hand() -> None:
    groups: list[list[float | None]] = [[1.0, 0.0, 0.0, 1.0], [None, 1.0, 0.0, 1.0]]
    # Means 1/2 and 2/3, deviations both 1/sqrt(3): (4 x 1/4) / 3 and (1/9 + 4/9 + 1/9) / 2.
    plain, scaled = advantages(groups, "none"), advantages(groups, "deviation")
    assert plain[0] == [0.5, -0.5, -0.5, 0.5]
    assert plain[1] == [None, *map(pytest.approx, (1 / 3, -2 / 3, 1 / 3))]
    assert scaled[0] == [pytest.approx(s * ROOT3 / 2) for s in (1, -1, -1, 1)]
    assert scaled[1] == [None, *map(pytest.approx, (1 / ROOT3, -2 / ROOT3, 1 / ROOT3))]


def test_the_mean_of_the_others_is_the_baseline() -> None:
    assert advantages([[1.0, 0.0, 0.5, None]], "none", "others") == [[0.75, -0.75, 0.0, None]]


@pytest.mark.parametrize("group", [[0.1, 0.1, 0.1], [None, 0.7], [None, None], [1.0], []])
def test_a_group_without_a_difference_teaches_nothing(group: list[float | None]) -> None:
    assert not teaches(group)
    [found] = advantages([group], "deviation")
    assert found == [None if reward is None else 0.0 for reward in group]


@given(st.lists(REWARD, min_size=2, max_size=8))
def test_advantages_are_balanced_and_keep_the_order(group: list[float | None]) -> None:
    for baseline in ("mean", "others"):
        [found] = advantages([group], "deviation", baseline)
        scored = [(r, a) for r, a in zip(group, found, strict=True) if r is not None]
        assert all(a is not None for _, a in scored)
        assert math.fsum(a or 0.0 for _, a in scored) == pytest.approx(0, abs=1e-6)
        ranked = [a or 0.0 for _, a in sorted(scored, key=lambda pair: pair[0])]
        assert ranked == sorted(ranked)


@pytest.mark.parametrize(("baseline", "share"), [("mean", 2 / 3), ("others", 1.0)])
def test_the_expected_gradient_is_that_of_the_expected_reward(
    baseline: Baseline, share: float
) -> None:
    """Of a coin with P(a) = p and reward 1 for a: d/dlogit E[reward] = p (1 - p)."""
    p, n = 0.3, 3
    expected = 0.0
    for drawn in itertools.product((1.0, 0.0), repeat=n):
        [found] = advantages([drawn], "none", baseline)
        score = [1 - p if x else -p for x in drawn]  # d/dlogit log P(x)
        chance = math.prod(p if x else 1 - p for x in drawn)
        gradient = sum((a or 0.0) * s for a, s in zip(found, score, strict=True)) / n
        expected += chance * gradient
    assert expected == pytest.approx(share * p * (1 - p))


def test_the_divisors_of_the_three_losses() -> None:
    assert divisors([1, 2, 0, 5], "grpo", 10) == [4, 8, 4, 20]
    assert divisors([1, 2, 0, 5], "dr_grpo", 10) == [40] * 4
    assert divisors([1, 2, 0, 5], "dapo", 10) == [8] * 4
    assert divisors([], "dapo", 10) == []
    assert [scale_of(one) for one in ("grpo", "dr_grpo", "dapo")] == [
        "deviation", "none", "deviation",
    ]  # fmt: skip


TWO = [[1.0, 0.0], [0.0, 1.0]]
LENGTHS = [1, 2, 2, 1]
MASK = [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0]]


def on_policy(kind: Loss) -> tuple[Tensor, Tensor]:
    """The loss of two prompts with two completions each, and its gradient."""
    found = [a for group in advantages(TWO, "none") for a in group]
    new = torch.full((4, 2), -1.0, requires_grad=True)
    old = new.detach()
    value = loss(
        new,
        old,
        old,
        torch.tensor(found),
        torch.tensor(divisors(LENGTHS, kind, 3)),
        torch.tensor(MASK),
        Bounds(),
    )
    value.backward()
    return value, new.grad


@pytest.mark.parametrize(
    ("kind", "value", "gradient"),
    [
        # On the policy every ratio is 1: the loss is -(sum of A x length / divisor), and the
        # gradient of a token -A / divisor. A = 1/2, -1/2, -1/2, 1/2.
        ("grpo", 0.0, [-1 / 8, 1 / 16, 1 / 16, -1 / 8]),
        ("dr_grpo", 1 / 12, [-1 / 24, 1 / 24, 1 / 24, -1 / 24]),
        ("dapo", 1 / 6, [-1 / 12, 1 / 12, 1 / 12, -1 / 12]),
    ],
)
def test_the_loss_of_two_prompts_by_hand(kind: Loss, value: float, gradient: list[float]) -> None:
    found, slope = on_policy(kind)
    assert found.item() == pytest.approx(value, abs=1e-7)
    for row, mask, each in zip(slope.tolist(), MASK, gradient, strict=True):
        assert row == pytest.approx([each * m for m in mask])


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "slope"),
    [
        (1.1, 1.0, 1.1, 1.1),
        (1.5, 1.0, 1.28, 0.0),  # clipped above
        (1.5, -1.0, -1.5, -1.5),
        (0.5, -1.0, -0.8, 0.0),  # clipped below
        (0.5, 1.0, 0.5, 0.5),
    ],
)
def test_the_clip_is_asymmetric(ratio: float, advantage: float, gain: float, slope: float) -> None:
    new = torch.tensor([[math.log(0.2 * ratio)]], requires_grad=True)
    old, one = torch.tensor([[math.log(0.2)]]), torch.tensor([1.0])
    value = loss(new, old, old, one * advantage, one, torch.ones(1, 1), Bounds())
    value.backward()
    assert value.item() == pytest.approx(-gain)
    assert new.grad.item() == pytest.approx(-slope)


def test_tokens_of_another_policy_are_weighted_and_the_weight_is_truncated() -> None:
    old = torch.tensor([[0.3, 0.3, 0.1]]).log()
    sampled = torch.tensor([[0.4, 0.1, 0.7]]).log()
    mask, one = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([1.0])
    assert weights(old, sampled, mask, Bounds()).tolist() == [pytest.approx([0.75, 2.0, 1.0])]
    assert loss(old, old, sampled, one, one, mask, Bounds()).item() == pytest.approx(-2.75)


@given(st.integers(1, 3))
def test_the_losses_of_the_parts_of_a_batch_add_up(cut: int) -> None:
    made = torch.Generator().manual_seed(cut)
    new, old, sampled = (-torch.rand((4, 2), generator=made) for _ in range(3))
    advantage, mask = torch.tensor([1.0, -1.0, 0.5, -0.5]), torch.tensor(MASK)
    divisor = torch.tensor(divisors(LENGTHS, "grpo", 3))

    def of(rows: slice) -> float:
        whole = (new, old, sampled, advantage, divisor, mask)
        a, b, c, d, e, f = (one[rows] for one in whole)
        return float(loss(a, b, c, d, e, f, Bounds()))

    assert of(slice(cut)) + of(slice(cut, None)) == pytest.approx(of(slice(None)), abs=1e-6)


@pytest.mark.parametrize("bad", [{"low": 0.0}, {"low": 1.0}, {"high": 0.0}, {"weight": 0.5}])
def test_bounds_are_checked(bad: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="bounds must be"):
        Bounds(**bad)

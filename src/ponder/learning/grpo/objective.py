"""Group-relative policy gradients: advantages and the loss, as pure functions.

Several completions of one prompt are a group, and each one's advantage is its reward less the
group's mean (GRPO: Shao 2024, 'DeepSeekMath', arXiv:2402.03300, section 4.1). The three losses
differ in two places alone:

===========  ===================  ==================================================================
loss         advantage            divisor of a completion's summed tokens
===========  ===================  ==================================================================
``grpo``     / deviation          number of completions x its own length (Shao 2024, equation 3)
``dr_grpo``  as it is             number of completions x most tokens, a constant (Liu 2025,
                                  'Understanding R1-Zero-Like Training', arXiv:2503.20783)
``dapo``     / deviation          all tokens of the batch (Yu 2025, arXiv:2503.14476, equation 8)
===========  ===================  ==================================================================

Only ``dr_grpo`` is a policy gradient without bias, up to a constant factor: the divisor of ``grpo``
makes a long wrong completion weigh less than a short one, and a deviation weighs prompts by their
difficulty.

The clip may be asymmetric ('clip-higher' of DAPO). There is no KL term: Liu 2025 and Yu 2025 both
leave it out. Samples of an earlier policy, or of one quantised for the sampler, are weighted
by the ratio of the probabilities, token by token, truncated above (Yao 2025, 'Your Efficient RL
Framework Secretly Brings You Off-Policy RL Training').
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ponder.core.errors import UsageError

Loss = Literal["dr_grpo", "grpo", "dapo"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
Scale = Literal["none", "deviation"]
Baseline = Literal["mean", "others"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
Tensor = Any
"""A tensor of torch, which only the extra ``train`` has."""


def scale_of(loss: Loss) -> Scale:
    """Return the scale of the advantages that a loss was published with."""
    return "none" if loss == "dr_grpo" else "deviation"


def advantages(
    groups: Sequence[Sequence[float | None]], scale: Scale, baseline: Baseline = "mean"
) -> list[list[float | None]]:
    """Return the advantage of each reward, by group; that of an abstention is None.

    An abstention takes no part in its group. A group whose rewards are all equal teaches nothing:
    its advantages are exactly 0.

    Args:
        groups: the rewards of each prompt's completions; None for an abstention.
        scale: ``deviation`` divides by the group's standard deviation (of a sample: n - 1).
        baseline: ``mean`` subtracts the group's mean, which shrinks the gradient by (n - 1) / n;
            ``others`` that of the other completions (leave-one-out: Kool 2019; Ahmadian 2024).
    """
    return [_group(group, scale, baseline) for group in groups]


def _group(group: Sequence[float | None], scale: Scale, baseline: Baseline) -> list[float | None]:
    scored = [reward for reward in group if reward is not None]
    if not teaches(group):
        return [None if reward is None else 0.0 for reward in group]
    mean, n = statistics.fmean(scored), len(scored)
    factor = n / (n - 1) if baseline == "others" else 1.0
    if scale == "deviation":
        spread = statistics.stdev(scored)
        factor = factor / spread if spread else 0.0  # rewards may differ by less than a float shows
    return [None if reward is None else (reward - mean) * factor for reward in group]


def teaches(group: Sequence[float | None]) -> bool:
    """Return True if a group has two rewards that differ."""
    return len({reward for reward in group if reward is not None}) > 1


def divisors(lengths: Sequence[int], loss: Loss, most: int) -> list[float]:
    """Return the number by which each completion's sum over tokens is divided.

    Args:
        lengths: tokens of each scored completion of the whole batch, those of groups that teach
            nothing included.
        most: most tokens of a completion.
    """
    rows = len(lengths)
    if loss == "grpo":
        return [float(rows * max(length, 1)) for length in lengths]
    return [float(rows * most if loss == "dr_grpo" else max(sum(lengths), 1))] * rows


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of the two ratios of probabilities.

    Raises:
        UsageError: one is out of its range.
    """

    low: float = 0.2
    """The policy's ratio counts down to 1 - low ..."""
    high: float = 0.28
    """... and up to 1 + high."""
    weight: float = 2.0
    """Most weight of a token that another policy sampled."""

    def __post_init__(self) -> None:
        if not (0 < self.low < 1 and self.high > 0 and self.weight >= 1):
            raise UsageError(
                f"the ratio's bounds must be 0 < low < 1, high > 0 and weight >= 1, not "
                f"{self.low:g}, {self.high:g} and {self.weight:g}."
            )


def weights(old: Tensor, sampled: Tensor, mask: Tensor, bounds: Bounds) -> Tensor:
    """Return the weight of each token: old / sampled probability, truncated; shapes as ``loss``."""
    return ((old - sampled) * mask).exp().clamp(max=bounds.weight)


def loss(
    new: Tensor,
    old: Tensor,
    sampled: Tensor,
    advantage: Tensor,
    divisor: Tensor,
    mask: Tensor,
    bounds: Bounds,
) -> Tensor:
    """Return the loss of some completions; the losses of a batch's parts add up to the batch's.

    The gradient flows through ``new`` alone.

    Args:
        new: log-probabilities of the sampled tokens under the policy, [completions, tokens].
        old: those under the policy as the step began.
        sampled: those under the policy that sampled.
        advantage: one per completion.
        divisor: one per completion, of ``divisors``.
        mask: 1 for a token, 0 for padding.
        bounds: of the ratios new / old and old / sampled.
    """
    ratio = ((new - old) * mask).exp()
    each = advantage.unsqueeze(1)
    gain = (ratio * each).minimum(ratio.clamp(1 - bounds.low, 1 + bounds.high) * each)
    gain = gain * weights(old, sampled, mask, bounds) * mask
    return -(gain.sum(1) / divisor).sum()

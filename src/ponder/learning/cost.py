"""Floating-point operations of a training.

A token that goes through a layer of P parameters costs 2 P, and the gradient that is passed on
through it 2 P again (Kaplan 2020, section 2.1). The third 2 P of a whole training, the gradient of
the parameters themselves, is spared where adapters learn: only their p parameters have one, so a
token costs 4 P + 6 p. Attention has no parameters: each earlier token that a token attends to costs
4 A forward and 8 A backward, where A is layers times width.
"""

from __future__ import annotations

from collections.abc import Iterable

from ponder.models.base import Shape


def training(shape: Shape, adapters: int, lengths: Iterable[int]) -> int:
    """Return the operations of one update on rows of so many tokens.

    Args:
        shape: the model's, its last layer included.
        adapters: parameters of the adapters; 0 if all weights are trained.
        lengths: tokens of each row.
    """
    each = 4 * shape.parameters + (6 * adapters if adapters else 2 * shape.parameters)
    return sum(each * n + 12 * shape.attention * (n * (n - 1) // 2) for n in lengths)

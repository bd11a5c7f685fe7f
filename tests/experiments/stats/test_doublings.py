"""Doublings, against differences written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.experiments.stats import intervals
from ponder.experiments.stats.doublings import Doubling, doublings, flat_from
from ponder.experiments.stats.paired import Difference


def one(n: int, difference: float, low: float) -> Doubling:
    return Doubling(n, Difference(difference, low, 2 * difference - low, 30))


class TestDoublings:
    def test_each_doubling_is_a_paired_difference(self) -> None:
        # Accuracies of two problems at 4, 1, 2 and 3 samples: the columns need no order, and 3 has
        # no double.
        values = np.array([[1.0, 0.5, 0.5, 0.7], [0.5, 0.0, 0.25, 0.3]])
        first, second = doublings([4, 1, 2, 3], values, intervals.resampled_means(values, seed=0))
        assert (first.n, second.n) == (1, 2)
        assert first.gain.difference == pytest.approx(0.125)
        # A resample holds the one problem twice, or the other, or both: 0, 0.25 or the middle.
        assert (first.gain.low, first.gain.high) == pytest.approx((0.0, 0.25))
        assert second.gain.difference == pytest.approx(0.375)
        assert (second.gain.low, second.gain.high) == pytest.approx((0.25, 0.5))

    def test_a_gain_is_certain_and_not_too_small(self) -> None:
        assert one(1, 0.02, 0.001).gains()
        assert not one(1, 0.02, 0.0).gains()
        assert not one(1, 0.004, 0.001).gains()
        assert one(1, 0.004, 0.001).gains(least=0.004)


class TestFlatFrom:
    def test_the_end_of_the_last_gain(self) -> None:
        flat_then_steep = [one(1, 0.0, 0.0), one(2, 0.05, 0.02), one(4, 0.01, -0.01)]
        assert flat_from(flat_then_steep) == 4
        assert flat_from([*flat_then_steep, one(8, 0.05, 0.01)]) is None

    def test_nothing_gains(self) -> None:
        assert flat_from([one(2, 0.0, 0.0), one(4, 0.0, 0.0)]) == 2
        assert flat_from([]) is None

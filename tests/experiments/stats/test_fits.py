from __future__ import annotations

import math

import numpy as np
import pytest

from ponder.experiments.stats import fits
from ponder.experiments.stats.estimators import Floats

COST: Floats = np.array([3.0 * 2.0**i for i in range(7)])


def spread_over(problems: int, means: Floats) -> Floats:
    """Values whose mean is ``means`` exactly: half the problems above it, half below."""
    tilt = 0.05 * np.where(np.arange(problems) % 2, 1.0, -1.0)
    return np.asarray(means[None] + tilt[:, None])


class TestLine:
    def test_a_line_without_noise_is_recovered(self) -> None:
        values = spread_over(10, 0.2 + 0.07 * np.log2(COST))
        line = fits.log_linear(COST, values)
        assert isinstance(line, fits.Line)
        assert line.slope == pytest.approx(0.07, abs=1e-12)
        assert line.intercept == pytest.approx(0.2, abs=1e-12)
        assert line.r2 == pytest.approx(1.0, abs=1e-12)
        # All problems have the same slope, so no resample has another.
        assert (line.low, line.high) == pytest.approx((0.07, 0.07), abs=1e-12)
        assert line.decided

    def test_the_slope_does_not_depend_on_the_unit(self) -> None:
        values = np.random.default_rng(1).random((20, 7))
        here, there = fits.log_linear(COST, values), fits.log_linear(COST * 1e12, values)
        assert isinstance(here, fits.Line)
        assert isinstance(there, fits.Line)
        assert there.slope == pytest.approx(here.slope, abs=1e-12)
        assert (there.low, there.high) == pytest.approx((here.low, here.high), abs=1e-12)

    def test_three_points_by_hand(self) -> None:
        # Means 0.25, 0.5, 0.25 at x = 0, 1, 2: slope 0, mean 1/3, nothing explained.
        values = np.array([[0.5, 1.0, 0.0], [0.0, 0.0, 0.5]])
        line = fits.log_linear(np.array([1.0, 2.0, 4.0]), values)
        assert isinstance(line, fits.Line)
        assert line.slope == pytest.approx(0.0, abs=1e-15)
        assert line.r2 == pytest.approx(0.0, abs=1e-12)
        assert (line.low, line.high) == pytest.approx((-0.25, 0.25))  # of the two slopes
        assert not line.decided

    def test_two_points_are_too_few(self) -> None:
        found = fits.log_linear(np.array([1.0, 2.0]), np.array([[0.0, 1.0]]))
        assert found == fits.TooFew(2, 3)
        assert str(found) == "too few points (2, needs 3)"
        assert fits.log_linear(np.array([1.0, 1.0, 2.0]), np.zeros((2, 3))) == fits.TooFew(2, 3)

    def test_one_problem_says_nothing_about_others(self) -> None:
        line = fits.log_linear(COST, spread_over(1, 0.2 + 0.07 * np.log2(COST)))
        assert isinstance(line, fits.Line)
        assert (line.low, line.high) == (-math.inf, math.inf)
        assert not line.decided

    def test_equal_accuracies_have_no_r2(self) -> None:
        line = fits.log_linear(COST, np.full((4, 7), 0.5))
        assert isinstance(line, fits.Line)
        assert line.r2 is None
        assert not line.decided

    def test_the_interval_covers_the_true_slope_as_often_as_it_says(self) -> None:
        # 200 worlds: problems of own level and own slope around 0.03, a right-or-wrong draw each.
        rng = np.random.default_rng(7)
        hits, worlds = 0, 200
        for _ in range(worlds):
            slopes = rng.normal(0.03, 0.02, (60, 1))
            chance = np.clip(rng.uniform(0.3, 0.5, (60, 1)) + slopes * np.arange(7), 0, 1)
            line = fits.log_linear(COST, (rng.random((60, 7)) < chance).astype(float))
            assert isinstance(line, fits.Line)
            hits += line.low <= 0.03 <= line.high
        # A true coverage of 0.95 has a standard error of 0.015 here; percentile intervals of 60
        # problems are known to be slightly narrow.
        assert 0.91 <= hits / worlds <= 0.98


class TestPlateau:
    @pytest.mark.parametrize(("top", "drop", "rate"), [(0.8, 0.5, 0.6), (0.9, 0.2, 1.7)])
    def test_a_plateau_without_noise_is_recovered(
        self, top: float, drop: float, rate: float
    ) -> None:
        curve = top - drop * (COST / COST[0]) ** -rate
        found = fits.plateau(COST, spread_over(10, curve))
        assert isinstance(found, fits.Plateau)
        assert (found.top, found.drop, found.rate) == pytest.approx((top, drop, rate), abs=1e-5)
        assert found.least == pytest.approx(COST[0])
        assert found.r2 == pytest.approx(1.0, abs=1e-9)
        assert found.bend == "flattens"
        line = fits.log_linear(COST, spread_over(10, curve))
        assert isinstance(line, fits.Line)
        assert found.aicc is not None
        assert line.aicc is not None
        assert found.aicc < line.aicc

    def test_a_line_does_not_flatten(self) -> None:
        values = spread_over(10, 0.2 + 0.07 * np.log2(COST))
        found, line = fits.plateau(COST, values), fits.log_linear(COST, values)
        assert isinstance(found, fits.Plateau)
        assert isinstance(line, fits.Line)
        assert found.bend == "undecided"
        assert found.curvature == pytest.approx(0.0, abs=1e-12)
        assert line.aicc is not None
        assert found.aicc is not None
        assert line.aicc < found.aicc

    def test_a_curve_that_turns_upwards_steepens(self) -> None:
        found = fits.plateau(COST, spread_over(10, 0.1 + 0.01 * np.log2(COST / COST[0]) ** 2))
        assert isinstance(found, fits.Plateau)
        assert found.bend == "steepens"
        assert found.curvature == pytest.approx(0.01, abs=1e-12)

    def test_a_bend_that_half_the_problems_contradict_is_undecided(self) -> None:
        bent = 0.02 * np.arange(7) ** 2
        found = fits.plateau(COST, np.stack([0.5 + bent / 2, 0.6 - bent / 2] * 10))
        assert isinstance(found, fits.Plateau)
        assert found.bend == "undecided"
        assert found.curvature_low < 0 < found.curvature_high

    def test_four_points_are_too_few(self) -> None:
        assert fits.plateau(COST[:4], np.zeros((3, 4))) == fits.TooFew(4, 5)

    def test_five_points_have_no_aicc(self) -> None:
        found = fits.plateau(COST[:5], spread_over(4, np.linspace(0.2, 0.6, 5)))
        assert isinstance(found, fits.Plateau)
        assert found.aicc is None

    def test_the_top_stays_a_probability(self) -> None:
        values = (np.random.default_rng(3).random((8, 7)) < np.linspace(0.1, 0.9, 7)).astype(float)
        found = fits.plateau(COST, values)
        assert isinstance(found, fits.Plateau)
        assert 0 <= found.low <= found.high <= 1


class TestPowerLaw:
    K = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])

    def test_browns_law_is_recovered(self) -> None:
        curve = np.exp(-1.4 * self.K**-0.45)
        law = fits.power_law(self.K, spread_over(10, curve))
        assert isinstance(law, fits.PowerLaw)
        assert (law.a, law.b) == pytest.approx((-1.4, -0.45), abs=1e-10)
        assert law.r2 == pytest.approx(1.0, abs=1e-12)
        assert law.low is not None
        assert law.high is not None
        assert law.low <= -0.45 <= law.high
        assert (law.points, law.left_out) == (6, 0)

    def test_one_chance_for_all_problems_is_not_a_power_law(self) -> None:
        # 1 - (1 - p)^k bends away from any power law in k (Schaeffer 2025, arXiv 2502.17578).
        curve = 1 - 0.7 ** self.K[:5]
        law = fits.power_law(self.K[:5], spread_over(10, curve))
        assert isinstance(law, fits.PowerLaw)
        assert law.r2 is not None
        assert law.r2 < 0.97

    def test_points_at_zero_and_one_are_left_out_and_counted(self) -> None:
        values = np.array([[0.0, 0.2, 0.4, 0.6, 1.0, 1.0]] * 3)
        law = fits.power_law(self.K, values)
        assert isinstance(law, fits.PowerLaw)
        assert (law.points, law.left_out) == (3, 3)
        assert fits.power_law(self.K[:3], np.zeros((2, 3))) == fits.TooFew(0, 3)

    def test_no_interval_where_resamples_have_no_logarithm(self) -> None:
        values = np.zeros((4, 4))
        values[0] = [0.4, 0.6, 0.8, 0.9]  # left out of (3/4)^4 of the resamples
        law = fits.power_law(self.K[:4], values)
        assert isinstance(law, fits.PowerLaw)
        assert (law.low, law.high) == (None, None)

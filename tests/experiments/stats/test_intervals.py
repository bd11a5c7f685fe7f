"""Intervals hold what they promise: simulated worlds of known truth, with fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.experiments.stats import intervals

WORLDS, PROBLEMS, SAMPLES = 400, 60, 8


def held(a: float, b: float, *, paired: float = 0.0) -> float:
    """How often the interval of the mean over problems holds the truth.

    Problems are of difficulty Beta(a, b), samples right by chance. With ``paired`` the interval is
    of the difference to a second system that is so much worse on each problem.
    """
    rng = np.random.default_rng(0)
    hits = 0
    for world in range(WORLDS):
        ease = rng.beta(a, b, PROBLEMS)
        values = np.stack(
            [rng.binomial(SAMPLES, p) / SAMPLES for p in (ease, ease * (1 - paired))], axis=1
        )
        means = intervals.resampled_means(values, seed=world, resamples=500)
        truth = a / (a + b)
        if paired:
            low, high = intervals.percentile(means[:, 0] - means[:, 1])
            hits += low <= truth * paired <= high
        else:
            low, high, _ = intervals.interval(values[:, 0], means[:, 0])
            hits += low <= truth <= high
    return hits / WORLDS


# 400 worlds: the standard error of a share of 0.95 is 0.011; three of them are allowed.
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.5, 1.5)])
def test_the_bootstrap_holds_the_mean_in_95_of_100_worlds(a: float, b: float) -> None:
    assert held(a, b) == pytest.approx(0.95, abs=0.033)


def test_the_paired_difference_is_held_in_95_of_100_worlds() -> None:
    assert held(2.0, 1.0, paired=0.1) == pytest.approx(0.95, abs=0.033)


def test_wilson_holds_a_proportion_in_95_of_100_worlds() -> None:
    rng = np.random.default_rng(1)
    for p in (0.1, 0.5, 0.95):
        hits = [
            low <= p <= high
            for successes in rng.binomial(PROBLEMS, p, 5_000)
            for low, high in [intervals.wilson(successes, PROBLEMS)]
        ]
        assert np.mean(hits) == pytest.approx(0.95, abs=0.03)  # it is discrete


def test_wilson_against_published_values() -> None:
    # Newcombe 1998, table I (score method, no continuity correction).
    for (successes, trials), expected in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert intervals.wilson(successes, trials) == pytest.approx(expected, abs=5e-5)
    assert intervals.wilson(20, 20) == pytest.approx((1 - 0.1611, 1.0), abs=5e-5)


def test_which_interval_depends_on_the_values_alone() -> None:
    def kind(*values: float) -> tuple[float, float, str]:
        column = np.array(values)
        means = intervals.resampled_means(column[:, None], seed=0)
        return intervals.interval(column, means[:, 0])

    assert kind(1.0, 1.0, 0.0)[2] == "wilson"
    low, high, how = kind(1.0, 0.5, 0.0)
    assert (0 <= low < 0.5 < high <= 1, how) == (True, "bootstrap")
    assert kind(0.5) == (0.0, 1.0, "bootstrap")


def test_one_seed_gives_one_interval_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.linspace(0, 1, 50)[:, None]
    whole = intervals.resampled_means(values, seed=5)
    assert (whole == intervals.resampled_means(values, seed=5)).all()
    monkeypatch.setattr(intervals, "_CELLS", 1_000)
    assert intervals.resampled_means(values, seed=5) == pytest.approx(whole)
    assert whole.std() == pytest.approx(values.std() / 50**0.5, rel=0.05)

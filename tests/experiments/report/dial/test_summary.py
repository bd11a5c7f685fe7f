"""The dial of a suite: frontier, regret, savings and calibration, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.experiments.report.dial.summary import Dial, Row, calibration, dial
from ponder.experiments.report.dial.votes import Stated
from ponder.experiments.stats.series import Series
from tests.support.series import made, share


def stated(likely: list[float], right: list[int], problem: list[int] | None = None) -> Stated:
    rows = np.array(problem or range(len(right)))
    return Stated("suite", "small", "vote", "f", rows, np.array(likely), np.array(right) > 0, True)


SERIES = [
    made("random", {1: share(4)}),
    made("majority", {1: share(4), 2: share(4), 4: share(6), 8: share(7)}),
    made("coverage", {1: share(4), 8: share(9)}),
    made("best:score", {8: share(9)}),
    made("auto worth=$1", {1: share(7)}, cost=5.0),
]
RULES = [made("lead", {8: share(7)}, cost=0.5), made("window", {8: share(5)}, cost=0.25)]


def found(*more: Series) -> Dial:
    one = dial([*SERIES, *more], RULES, [], "flops")
    assert one is not None
    return one


def row(of: Dial, name: str, model: str = "small") -> Row:
    [one] = [row for row in of.rows if (row.name, row.model) == (name, model)]
    return one


def test_plans_are_single_samples_votes_rules_and_configurations() -> None:
    assert [(r.name, r.cost["flops"], r.kind) for r in found().rows] == [
        ("one sample", 1.0, "fixed"),
        ("window, up to 8", 2.0, "rule"),
        ("lead, up to 8", 4.0, "rule"),
        ("vote of 4", 4.0, "fixed"),
        ("auto worth=$1", 5.0, "configuration"),
        ("vote of 8", 8.0, "fixed"),
    ]
    assert found().configurations == ("auto worth=$1",)


def test_the_frontier_is_what_nothing_as_cheap_matches() -> None:
    assert [r.name for r in found().rows if r.on_frontier] == [
        "one sample", "window, up to 8", "lead, up to 8",
    ]  # fmt: skip


def test_regret_is_to_the_best_at_no_more_cost() -> None:
    four = row(found(), "vote of 4")
    assert four.best == "lead, up to 8"
    assert four.regret.difference == pytest.approx(0.1)
    lead = row(found(), "lead, up to 8")
    assert (lead.best, lead.regret.difference) == ("", 0.0)
    assert row(found(), "vote of 8").best == ""  # as right as the best: no regret


def test_regret_is_to_the_same_model_and_the_frontier_to_all() -> None:
    large = made("random", {1: share(8)}, model="large", cost=3.0)
    both = found(large)
    assert row(both, "lead, up to 8").best == ""
    assert row(both, "lead, up to 8").leads
    assert not row(both, "lead, up to 8").on_frontier
    assert row(both, "one sample", "large").on_frontier


def test_the_cheapest_rule_that_matches_the_full_vote_is_named() -> None:
    [saving] = found().savings
    assert (saving.model, saving.rule, saving.n, saving.share) == ("small", "lead", 8, 0.5)
    assert saving.gap.difference == 0.0


def test_there_is_no_dial_where_nothing_can_be_chosen() -> None:
    assert dial(SERIES[:1], [], [], "flops") is None
    assert dial(SERIES, [], [], "seconds") is None
    alone = dial(SERIES[:1], [], [stated([0.5], [1])], "flops")
    assert alone is not None
    assert (alone.rows, len(alone.calibrations)) == ((), 1)


def test_brier_score_base_rate_and_bins() -> None:
    one = calibration(stated([0.9, 0.9, 0.9, 0.6], [1, 1, 0, 1]))
    assert one.brier == pytest.approx((0.01 + 0.01 + 0.81 + 0.16) / 4)
    assert (one.rate, one.reference) == (0.75, 0.75 * 0.25)
    assert [(b.low, b.high, b.count, b.problems) for b in one.bins] == [
        (0.5, 0.7, 1, 1), (0.9, 0.95, 3, 3),
    ]  # fmt: skip
    assert [b.stated for b in one.bins] == pytest.approx([0.6, 0.9])
    assert [b.right for b in one.bins] == pytest.approx([1.0, 2 / 3])
    assert [b.around for b in one.bins] == [None, None]  # too few problems


def test_the_last_bin_holds_certainty() -> None:
    [one] = calibration(stated([1.0] * 10, [1] * 10)).bins
    assert (one.low, one.high, one.count) == (0.98, 1.0, 10)
    assert one.around is not None
    assert one.around[1] == 1.0
    assert one.around[0] == pytest.approx(0.7225, abs=1e-3)  # Wilson's


def test_intervals_are_over_problems_not_statements() -> None:
    """A problem that is stated of a hundred times is one problem."""
    alone = stated([0.8] * 20, [1, 0] * 10)
    again = stated([0.8] * 2000, [1, 0] * 1000, [i % 20 for i in range(2000)])
    once, often = calibration(alone), calibration(again)
    assert [often.low, often.high] == pytest.approx([once.low, once.high])
    single = calibration(stated([0.8, 0.7], [1, 1], [3, 3]))
    assert (single.low, single.high, single.problems) == (0.0, 1.0, 1)

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ponder.experiments.report import difficulty, economics, matched
from ponder.experiments.stats import intervals, paired
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.stats.paired import Difference
from ponder.experiments.stats.series import Series
from tests.support.series import made, share, table_of


def gap_of(a: Floats, b: Floats) -> Difference:
    values = np.stack([a, b], axis=1)
    return paired.difference(values, intervals.resampled_means(values, seed=0), 0, 1)


class TestGap:
    def test_by_hand(self) -> None:
        gap = gap_of(np.array([1.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0]))
        assert gap.difference == 0.5
        assert gap.problems == 4
        assert (gap.low, gap.high) == (0.0, 1.0)
        assert not gap.decided

    def test_the_same_everywhere_is_decided(self) -> None:
        gap = gap_of(np.full(5, 0.75), np.full(5, 0.5))
        assert (gap.low, gap.difference, gap.high) == (0.25, 0.25, 0.25)
        assert gap.decided

    def test_one_problem_decides_nothing(self) -> None:
        gap = gap_of(np.array([1.0]), np.array([0.0]))
        assert (gap.low, gap.high, gap.decided) == (-1.0, 1.0, False)


class TestFrontier:
    def test_by_hand(self) -> None:
        # small: 0.2 for 1, 0.3 for 2, 0.3 for 4; large: 0.6 for 3, 0.5 for 6.
        there = table_of(
            made("majority", {1: share(2), 2: share(3), 4: share(3)}),
            made("majority", {1: share(6), 2: share(5)}, model="large", cost=3.0),
        )
        found = economics.frontier(there, "flops")
        assert [(b.config.model, b.config.n, b.cost, b.until) for b in found] == [
            ("small", 1, 1.0, 2.0),
            ("small", 2, 2.0, 3.0),
            ("large", 1, 3.0, None),
        ]
        assert [b.accuracy for b in found] == [0.2, 0.3, 0.6]
        first, _, last = found
        assert (first.rival, first.ahead, first.chance) == (None, None, 1.0)
        assert last.rival is not None
        assert (last.rival.model, last.rival.n) == ("small", 2)
        assert last.ahead is not None
        assert last.ahead.difference == pytest.approx(0.3)
        assert (last.low, last.high) == intervals.wilson(6, 10)

    def test_coverage_never_enters(self) -> None:
        there = table_of(
            made("random", {1: share(2)}), made("coverage", {1: share(2), 2: share(9)})
        )
        assert [b.config.method for b in economics.frontier(there, "flops")] == ["random"]

    def test_of_equally_dear_the_better_of_equally_good_the_first(self) -> None:
        there = table_of(
            made("random", {1: share(5)}),
            made("majority", {1: share(5)}),
            made("best:a", {1: share(6)}),
        )
        [best] = economics.frontier(there, "flops")
        assert best.config.method == "best:a"
        there = table_of(made("random", {1: share(5)}), made("majority", {1: share(5)}))
        [best] = economics.frontier(there, "flops")
        assert best.config.method == "random"
        assert best.rival is None  # a majority of one is the single sample

    def test_the_chance_is_that_of_the_resamples(self) -> None:
        # Better on one problem of four, worse on none: best unless that problem is not drawn.
        there = table_of(
            made("a", {1: [1, 1, 0, 0]}), made("b", {1: [1, 1, 1, 0]}, model="large", cost=2.0)
        )
        best = economics.frontier(there, "flops")[-1]
        assert best.config.method == "b"
        assert best.chance == pytest.approx(1 - 0.75**4, abs=0.03)  # standard error 0.01

    def test_problems_are_paired_by_name(self) -> None:
        there = table_of(
            made("a", {1: [1, 0, 1]}, ids=["x", "y", "z"]),
            made("b", {2: [0, 1]}, ids=["z", "y"], model="other"),
        )
        assert [there.problem_ids[row] for row in there.shared] == ["y", "z"]
        assert there.values[there.shared].tolist() == [[0.0, 1.0], [1.0, 0.0]]

    def test_nothing_in_common_and_unknown_costs(self) -> None:
        one, other = made("a", {1: [1]}, ids=["x"]), made("b", {1: [1]}, ids=["y"])
        assert len(table_of(one, other).shared) == 0
        assert economics.frontier(table_of(one), "usd") == ()


class TestEqualAccuracy:
    def test_between_points_in_log_cost(self) -> None:
        cost, means = np.array([1.0, 4.0]), np.array([[0.2, 0.6]])
        least, bound = economics.cost_at(cost, means, np.array([0.4]))
        assert least[0] == pytest.approx(2.0)  # half-way in accuracy, half-way in log cost
        assert not bound[0]

    @pytest.mark.parametrize(
        ("target", "expected", "bound"),
        [(0.1, 1.0, True), (0.6, 4.0, False), (0.7, math.inf, False)],
    )
    def test_never_extrapolated(self, target: float, expected: float, bound: bool) -> None:
        found = economics.cost_at(np.array([1.0, 4.0]), np.array([[0.2, 0.6]]), np.array([target]))
        assert (found[0][0], found[1][0]) == (pytest.approx(expected), bound)

    def test_a_dip_does_not_hide_an_earlier_success(self) -> None:
        cost, means = np.array([1.0, 2.0, 4.0, 8.0]), np.array([[0.2, 0.5, 0.3, 0.9]])
        assert economics.cost_at(cost, means, np.array([0.5]))[0][0] == pytest.approx(2.0)

    def test_by_hand(self) -> None:
        # a: 0.2, 0.4, 0.6 for 1, 2, 4; b: 0.2, 0.6 for 1, 2. At 0.6 a needs twice as much.
        there = table_of(
            made("a", {1: share(2), 2: share(4), 4: share(6)}),
            made("b", {1: share(2), 2: share(6)}),
        )
        [found] = economics.equal_accuracy(there, "flops")
        assert (found.dear, found.cheap) == ("a of small", "b of small")
        assert found.ratio == pytest.approx(2.0)
        assert (found.accuracy, found.weaker.n, found.at_least) == (0.6, 4, False)
        assert found.low <= 2.0 <= found.high

    def test_the_stronger_may_be_the_dearer(self) -> None:
        # At small's best, 0.5 for 2, large's curve (0.4 for 8, 0.6 for 16) needs sqrt(8 * 16).
        there = table_of(
            made("a", {1: share(4), 2: share(5)}),
            made("a", {1: share(4), 2: share(6)}, model="large", cost=8.0),
        )
        [found] = economics.equal_accuracy(there, "flops")
        assert (found.dear, found.cheap) == ("a of large", "a of small")
        assert found.ratio == pytest.approx(math.sqrt(128) / 2)

    def test_a_bound_where_the_stronger_starts_above(self) -> None:
        weak = made("a", {1: share(2), 8: share(5)})
        there = table_of(weak, made("random", {1: share(6)}, model="large", cost=2.0))
        [found] = economics.equal_accuracy(there, "flops")
        assert (found.dear, found.at_least) == ("a of small", True)
        assert found.ratio == pytest.approx(4.0)
        assert found.low <= 4.0
        assert found.high == math.inf  # 'at least' has no upper end
        there = table_of(weak, made("random", {1: share(6)}, model="large", cost=9.0))
        assert economics.equal_accuracy(there, "flops") == ()

    def test_equal_costs_are_not_decided(self) -> None:
        there = table_of(
            made("a", {1: share(2), 3: share(5)}, cost=0.1),
            made("b", {1: share(2), 3: share(5)}, cost=0.1),
        )
        [found] = economics.equal_accuracy(there, "flops")
        assert found.ratio == pytest.approx(1.0)
        assert not found.decided

    def test_no_comparison_with_the_own_single_sample_or_with_coverage(self) -> None:
        there = table_of(
            made("random", {1: share(2)}),
            made("majority", {1: share(2), 2: share(4)}),
            made("coverage", {1: share(2), 2: share(8)}),
        )
        assert economics.equal_accuracy(there, "flops") == ()


class TestMatched:
    def test_snells_ratio(self) -> None:
        # M + 3 (M - 1) / R times the small model's own inference: M = 4, R = 1/2 gives 22, which
        # is 5.5 times the large one's.
        assert matched.inference_multiple(4.0, 0.5) == pytest.approx(22 / 4)
        assert matched.inference_multiple(4.0) == 1.0

    @pytest.mark.parametrize("ratio", [0.16, 0.79, 22.0])
    def test_totals_are_equal(self, ratio: float) -> None:
        small, large, pretraining = 1e9, 14e9, 1e12
        inference = ratio * pretraining
        more = 2 * large * inference * matched.inference_multiple(14.0, ratio)
        assert 6 * small * pretraining + more == pytest.approx(
            6 * large * pretraining + 2 * large * inference
        )

    SMALL = made(
        "majority",
        {1: share(2), 2: share(3), 4: share(6), 8: share(9)},
        parameters=10,
    )
    LARGE = made("random", {1: share(5)}, model="large", cost=5.0, parameters=40)

    def match(self, ratio: float, ids: Sequence[str] = ()) -> matched.Match:
        there = table_of(self.SMALL, self.LARGE)
        found = matched.match(there, 0, 1, ratio, among=ids or None)
        assert found is not None
        return found

    def test_the_largest_n_that_fits(self) -> None:
        alone = self.match(math.inf)
        assert (alone.n, alone.budget, alone.ratio, alone.times) == (4, 5.0, None, 4.0)
        assert alone.unused == pytest.approx(5 / 4)
        assert not alone.all_recorded
        assert alone.gap is not None
        assert alone.gap.difference == pytest.approx(0.1)
        assert alone.verdict == "undecided"

    def test_pretraining_buys_samples(self) -> None:
        total = self.match(1.0)  # 5 (1 + 3 * 3 / 4) = 16.25
        assert total.budget == pytest.approx(16.25)
        assert (total.n, total.all_recorded) == (8, True)
        assert total.gap is not None
        assert total.gap.difference == pytest.approx(0.4)
        assert total.verdict == "thinking"

    def test_a_bin_has_its_own_verdict(self) -> None:
        hard = self.match(math.inf, ["p8", "p9"])
        assert hard.gap is not None
        assert (hard.gap.difference, hard.gap.problems) == (0.0, 2)

    def test_nothing_affordable(self) -> None:
        dear = made("majority", {1: share(2), 2: share(3)}, cost=6.0, parameters=10)
        found = matched.match(table_of(dear, self.LARGE), 0, 1, math.inf)
        assert found is not None
        assert (found.n, found.gap, found.verdict) == (0, None, "unaffordable")

    def test_seconds_may_buy_more_than_flops(self) -> None:
        def timed(series: Series, seconds: dict[int, float]) -> Series:
            points = (replace(p, cost={**p.cost, "seconds": seconds[p.n]}) for p in series.points)
            return replace(series, points=tuple(points))

        small = timed(self.SMALL, {1: 1.0, 2: 1.5, 4: 2.0, 8: 3.0})
        there = table_of(small, timed(self.LARGE, {1: 3.0}))
        found = matched.match(there, 0, 1, math.inf, unit="seconds")
        assert found is not None
        assert (found.n, found.budget, found.unused) == (8, 3.0, 1.0)

    def test_a_vote_against_the_larger_ones_vote(self) -> None:
        voting = made(
            "majority", {1: share(5), 2: share(7)}, model="large", cost=5.0, parameters=40
        )
        there = table_of(self.SMALL, voting)
        found = matched.match(there, 0, 1, math.inf, large_n=2)
        assert found is not None
        assert (found.n, found.large_n, found.budget) == (8, 2, 10.0)
        assert found.gap is not None
        assert found.gap.difference == pytest.approx(0.2)
        assert matched.match(there, 0, 1, math.inf, large_n=4) is None

    def test_none_without_parameters_flops_or_problems(self) -> None:
        unknown = made("majority", {1: share(2)})
        tokens = made("majority", {1: share(2)}, unit="tokens", parameters=10)
        for series in (unknown, tokens, self.LARGE):
            assert matched.match(table_of(series, self.LARGE), 0, 1, 1.0) is None
        there = table_of(self.SMALL, self.LARGE)
        assert matched.match(there, 0, 1, 1.0, among=["q"]) is None


class TestBins:
    def test_few_levels_are_a_bin_each_in_their_natural_order(self) -> None:
        levels = ["Level 10", "Level 2", None, "Level 2"]
        bins = difficulty.from_levels([made("a", {1: [0, 0, 0, 0]}, levels=levels)])
        assert bins is not None
        assert bins.names == ("Level 2", "Level 10")
        assert bins.of == {"p0": 1, "p1": 0, "p3": 0}

    def test_many_numbers_become_five_of_nearly_equal_size(self) -> None:
        levels = [str(i) for i in range(20)]
        bins = difficulty.from_levels([made("a", {1: share(5, 20)}, levels=levels)])
        assert bins is not None
        assert bins.names[0] == "level 0 to 3"
        assert [len(bins.problems(i)) for i in range(5)] == [4, 4, 4, 4, 4]

    def test_a_level_is_never_cut(self) -> None:
        assert difficulty.merge([1, 1, 90, 1, 1, 6]) == [0, 0, 1, 2, 2, 2]

    def test_no_bins_of_one_level_or_of_many_names(self) -> None:
        assert difficulty.from_levels([made("a", {1: [0, 0]}, levels=["x", "x"])]) is None
        names = [chr(97 + i) for i in range(13)]
        assert difficulty.from_levels([made("a", {1: share(5, 13)}, levels=names)]) is None

    def test_from_the_largest_other_model_easiest_first(self) -> None:
        mine = made("random", {1: [0.1, 0.9, 0.5]}, model="mine", parameters=99)
        other = made("random", {1: [1.0, 0.0, 0.5]}, model="other", parameters=7)
        tiny = made("random", {1: [0.0, 1.0, 1.0]}, model="tiny", parameters=1)
        bins = difficulty.from_another([mine, other, tiny], {"mine"})
        assert bins is not None
        assert bins.by_model == "other"
        assert bins.of == {"p0": 0, "p2": 1, "p1": 2}
        assert bins.names[0] == "bin 1, easiest (pass@1 1.00)"
        assert difficulty.from_another([mine], {"mine"}) is None
        flat = made("random", {1: [0.5, 0.5]}, model="flat")
        assert difficulty.from_another([flat], {"mine"}) is None


class TestReach:
    def test_clopper_pearson_against_closed_forms(self) -> None:
        # No success: 1 - 0.025^(1/n). One: the root of its equation, from tables.
        assert difficulty.clopper_pearson_above(0, 72) == pytest.approx(1 - 0.025 ** (1 / 72))
        assert difficulty.clopper_pearson_above(1, 10) == pytest.approx(0.445016, abs=1e-6)
        assert difficulty.clopper_pearson_above(10, 10) == 1.0

    @pytest.mark.parametrize(
        ("right", "problems", "verdict"),
        [(0, 80, "out of reach"), (0, 20, "none solved"), (1, 20, "within reach")],
    )
    def test_verdicts(self, right: int, problems: int, verdict: str) -> None:
        series = made("coverage", {1: share(0, problems), 16: share(right, problems)})
        found = difficulty.ceiling(table_of(series), 0, None)
        assert found is not None
        assert (found.verdict, found.n, found.solved) == (verdict, 16, right)

    def test_fractions_count_as_whole_problems(self) -> None:
        series = made("coverage", {8: [0.25] * 4})
        found = difficulty.ceiling(table_of(series), 0, None)
        assert found is not None
        assert found.solved == 1.0
        assert found.above == difficulty.clopper_pearson_above(1, 4)

    def test_gains_are_paired_and_of_the_largest_n(self) -> None:
        single = made("random", {1: [0.5, 0.5, 0.0, 0.0]})
        voted = made("majority", {1: [0.5, 0.5, 0.0, 0.0], 4: [1.0, 1.0, 0.0, 0.0]})
        there = table_of(voted, single)
        easy = difficulty.gain(there, 0, 1, ["p0", "p1"])
        hard = difficulty.gain(there, 0, 1, ["p2", "p3"])
        assert easy is not None
        assert hard is not None
        assert (easy.n, easy.gap.difference, easy.verdict) == (4, 0.5, "helps")
        assert (hard.gap.difference, hard.verdict) == (0.0, "undecided")
        assert difficulty.gain(there, 1, 1, ["p0"]) is None


def test_cost_per_right_answer() -> None:
    price = economics.per_right_answer(6.0, 0.5, 0.25, 0.75)
    assert (price.value, price.low, price.high) == (12.0, 8.0, 24.0)
    assert economics.per_right_answer(6.0, 0.0, 0.0, 0.3).value is None
    assert economics.per_right_answer(6.0, 0.2, 0.0, 0.3).high is None

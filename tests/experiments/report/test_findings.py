from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.experiments.report import page as report_page
from ponder.experiments.report import wording as report_words
from ponder.experiments.report.findings import findings
from ponder.experiments.report.values import Findings, Suite
from ponder.experiments.report.wording import times
from ponder.experiments.stats.fits import Plateau
from ponder.experiments.stats.series import Series
from tests.support.series import COMMAND, LARGE, SMALL, made, share, world


@pytest.fixture(scope="module")
def found() -> Findings:
    other = world("small", 0.3, 10**9, suite="hard", levels=False)
    return findings(
        [*SMALL, *LARGE, *other], ratios=(22.0, 0.16), usd_per_hour=3.6, command=COMMAND
    )


def says(suite: Suite) -> str:
    return "\n".join(f"{h.tone}: {h.text} {h.detail}" for h in suite.headlines)


class TestFindings:
    def test_json_round_trip(self, found: Findings) -> None:
        shown = found.to_json()
        assert json.loads(json.dumps(shown, allow_nan=False)) == shown
        assert [s["name"] for s in shown["suites"]] == ["sums", "hard"]
        assert shown["ratios"] == [0.16, 22.0]
        curve = shown["suites"][0]["curves"][1]
        assert (curve["label"], curve["problems"]) == ("majority of small", 40)
        assert curve["points"][3]["n"] == 8
        assert shown["suites"][0]["matches"][0]["verdict"] in (
            "thinking",
            "parameters",
            "undecided",
        )

    def test_the_same_series_give_the_same_page(self) -> None:
        series = [made("random", {1: share(5)}), made("majority", {1: share(5), 2: share(6)})]
        first, second = (report_page.render(findings(series)) for _ in range(2))
        assert first == second

    def test_a_series_without_costs_stands_in_the_tables_alone(self) -> None:
        free = made("free", {1: share(9)}, model="other", cost=0.0)
        found = findings([made("random", {1: share(5)}), free])
        [suite] = found.suites
        assert [b.config.method for b in suite.frontier["flops"]] == ["random"]
        assert "in no comparison of costs: free of other" in report_page.render(found)

    def test_of_random_only_the_single_sample_is_kept(self, found: Findings) -> None:
        [curve] = [c for c in found.suites[0].curves if c.label == "one sample of small"]
        assert [p.n for p in curve.points] == [1]

    def test_seconds_are_priced_only_where_no_price_is_known(self) -> None:
        series = made("random", {1: share(5)}, unit="seconds")
        [suite] = findings([series], usd_per_hour=3.6).suites
        assert suite.curves[0].points[0].cost == {"seconds": 1.0, "usd": pytest.approx(0.001)}
        [suite] = findings([series]).suites
        assert suite.units == ("seconds",)
        hosted = dataclasses.replace(
            series,
            points=(dataclasses.replace(series.points[0], cost={"seconds": 1.0, "usd": 7.0}),),
        )
        [suite] = findings([hosted], usd_per_hour=3.6).suites
        assert suite.curves[0].points[0].cost["usd"] == 7.0

    def test_a_price_of_zero_is_not_a_price(self) -> None:
        [suite] = findings([made("random", {1: share(5)}, unit="usd", cost=0.0)]).suites
        assert suite.units == ("samples",)
        assert "not compute" in " ".join(suite.notes)

    def test_a_unit_that_one_point_lacks_is_left_out(self) -> None:
        series = made("majority", {1: share(5), 2: share(6)})
        short = dataclasses.replace(series.points[1], cost={"tokens": 3.0})
        both = dataclasses.replace(series.points[0], cost={"tokens": 2.0, "flops": 9.0})
        [suite] = findings([dataclasses.replace(series, points=(both, short))]).suites
        assert suite.units == ("tokens",)

    def test_bins_of_a_model_come_from_the_other(self) -> None:
        series = [*world("a", 0.6, 1, levels=False), *world("b", 0.8, 2, levels=False)]
        [suite] = findings(series).suites
        assert [(b.model, b.origin.split(",")[0]) for b in suite.bins] == [
            ("a", "pass@1 of b"),
            ("b", "pass@1 of a"),
        ]
        # The pair of both has no third model to make bins from.
        assert {m.bin for m in suite.matches} == {""}

    def test_bins_of_a_pair_come_from_a_third(self) -> None:
        models = [("a", 0.6, 1), ("b", 0.8, 2), ("c", 0.7, 9)]
        [suite] = findings(
            [s for name, skill, n in models for s in world(name, skill, n, levels=False)]
        ).suites
        bins = {m.bin for m in suite.matches if (m.small, m.large) == ("a", "b")}
        assert len(bins) == 5  # four chances of c, and all problems
        assert suite.matched_bins.startswith("pass@1 of c")

    def test_files_of_one_model_are_told_apart(self) -> None:
        one = made("majority", {1: share(5), 2: share(6)}, source="a.jsonl")
        other = dataclasses.replace(one, source="b.jsonl")
        [suite] = findings([one, other]).suites
        assert [c.model for c in suite.curves] == ["small [a.jsonl]", "small [b.jsonl]"]

    def test_a_store_has_a_single_call_for_a_single_sample(self) -> None:
        direct = made("direct", {1: share(5)}, model="large", cost=5.0, parameters=40)
        small = made("sc", {4: share(9)}, parameters=10)
        [suite] = findings([direct, small], ratios=()).suites
        [match] = suite.matches
        assert (match.small, match.large, match.method, match.n) == ("small", "large", "sc", 4)

    @pytest.mark.parametrize(
        ("series", "options", "message"),
        [
            ([], {}, "nothing to report"),
            ([SMALL[0]], {"ratios": (0.0,)}, "above 0"),
            ([SMALL[0]], {"usd_per_hour": -1.0}, "above 0 dollars"),
            ([SMALL[0], SMALL[0]], {}, "given twice"),
            ([dataclasses.replace(SMALL[0], points=())], {}, "no points"),
            ([dataclasses.replace(SMALL[0], problem_ids=("x",))], {}, "each problem once"),
            ([made("a", {1: [float("nan")]})], {}, "a value for each"),
        ],
    )
    def test_refusals(self, series: list[Series], options: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            findings(series, **options)


class TestWords:
    def test_what_helps_and_what_does_not(self) -> None:
        single = made("random", {1: [0.5] * 20})
        up = made("up", {1: [0.5] * 20, 4: [0.75] * 20})
        down = made("down", {1: [0.5] * 20, 4: [0.25] * 20})
        level = made("level", {1: [0.5] * 20, 4: [0.0, 1.0] * 10})
        [suite] = findings([single, up, down, level]).suites
        text = says(suite)
        assert "good: up of small lifts accuracy from 50.0 % to 75.0 %." in text
        assert "bad: down of small does not help: it lowers accuracy from 50.0 % to 25.0 %." in text
        assert "open: Whether level of small helps, the data do not decide." in text

    def test_a_majority_of_two_is_a_single_sample(self) -> None:
        single, voted = made("random", {1: [0.5, 0.25]}), made("majority", {2: [0.5, 0.25]})
        [suite] = findings([single, voted]).suites
        assert "majority@2 of small does not help: on every problem it is as right as" in says(
            suite
        )

    def test_a_curve_that_flattens_says_towards_what(self) -> None:
        curve = {2**i: [0.7 - 0.4 * 0.5**i, 0.9 - 0.4 * 0.5**i] for i in range(6)}
        [suite] = findings([made("random", {1: curve[1]}), made("majority", curve)]).suites
        assert "The curve flattens, towards 80.0 %" in says(suite)
        fit = suite.curves[1].fits["flops"].plateau
        assert isinstance(fit, Plateau)
        assert (fit.low, fit.high) == pytest.approx((0.7, 0.9), abs=0.005)

    def test_a_single_configuration_is_the_best_at_every_budget(self) -> None:
        there = made("random", {1: share(5)}), made("worse", {2: share(4)})
        [suite] = findings(there).suites
        assert "At every measured budget, one sample of small is the best." in says(suite)

    def test_what_equal_accuracy_costs(self) -> None:
        weak = made("majority", {1: share(8, 40), 8: share(20, 40)})
        large = made("random", {1: share(40, 40)}, model="large", cost=2.0)
        [suite] = findings([weak, large]).suites
        assert (
            "plain: At equal accuracy (50.0 %), majority of small needs at least 4 times the FLOPs "
            "of one sample of large." in says(suite)
        )
        [equal] = suite.equal["flops"]
        assert f"95 % interval {times(equal.low)} to unbounded; 40 problems;" in says(suite)

    def test_a_small_model_that_cannot_afford_a_sample(self) -> None:
        large = made("random", {1: share(5)}, model="large", cost=1.0, parameters=4)
        small = made("majority", {1: share(2), 2: share(3)}, cost=3.0, parameters=1)
        [suite] = findings([large, small], ratios=()).suites
        assert "bad: At equal inference FLOPs, small cannot pay one sample" in says(suite)

    def test_thinking_against_parameters(self) -> None:
        large = made("random", {1: [0.5] * 20}, model="large", cost=4.0, parameters=4)
        small = made("majority", {1: [0.3] * 20, 4: [0.4] * 20, 16: [0.8] * 20}, parameters=1)
        [suite] = findings([large, small], ratios=(0.1, 100.0)).suites
        text = says(suite)
        assert "bad: At equal inference FLOPs, parameters beat thinking" in text
        # At R = 0.1 the budget is 4 (1 + 3 * 3 / 4 / 0.1) = 94: all 16 samples, 5.9 times over.
        assert "R = 0.1 (N = 16, all that is recorded): thinking wins, +30.0" in text
        assert "R = 100 (N = 4): parameters win, −10.0" in text

    def test_out_of_reach_with_its_evidence(self) -> None:
        levels = ["1"] * 20 + ["2"] * 80
        [suite] = findings(
            [
                made("random", {1: [0.5] * 20 + [0.0] * 80}, levels=levels),
                made("coverage", {1: [0.5] * 20 + [0.0] * 80, 8: share(20, 100)}, levels=levels),
            ]
        ).suites
        text = says(suite)
        assert "no choice among up to 8 samples of small helps on level 2." in text
        assert (
            "0 of 80 problems solved by any of 8 samples; the 95 % interval ends at 4.5 %." in text
        )

    def test_too_few_problems_to_say_so(self) -> None:
        [suite] = findings(
            [made("coverage", {8: [0.0] * 5}), made("random", {1: [0.0] * 5})]
        ).suites
        assert "None solved: small, in 8 samples of each problem." in says(suite)
        assert "reaches 52.2 %" in says(suite)

    def test_an_undecided_frontier_says_so(self) -> None:
        there = made("a", {1: [1.0, 0.0, 1.0, 0.0], 2: [0.0, 1.0, 1.0, 1.0]})
        [suite] = findings([there]).suites
        assert "open: The most accurate is a of small, but not decidedly" in says(suite)

    @pytest.mark.parametrize(
        ("value", "unit", "shown"),
        [
            (2.104e12, "flops", "2.1 TFLOPs"),
            (999.9, "flops", "1 kFLOPs"),
            (1234.0, "tokens", "1.23k tokens"),
            (1.0, "samples", "1 sample"),
            (0.000303, "usd", "$0.000303"),
            (1.5, "usd", "$1.5"),
            (12.34, "seconds", "12.3 s"),
            (None, "usd", "unbounded"),
        ],
    )
    def test_quantities(self, value: float | None, unit: str, shown: str) -> None:
        assert report_words.quantity(value, unit) == shown

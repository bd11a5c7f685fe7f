from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from ponder.experiments.report import charts
from ponder.experiments.report import figures as report_figures
from ponder.experiments.report import page as report_page
from ponder.experiments.report import wording as report_words
from ponder.experiments.report.dial.votes import Stated
from ponder.experiments.report.findings import findings
from ponder.experiments.report.values import Findings
from ponder.experiments.stats.fits import PowerLaw, TooFew
from ponder.experiments.stats.series import Series
from tests.support.series import COMMAND, LARGE, SMALL, made, share, world

VOID = {"meta", "br", "img", "hr", "link", "input"}


@pytest.fixture(scope="module")
def found() -> Findings:
    other = world("small", 0.3, 10**9, suite="hard", levels=False)
    return findings(
        [*SMALL, *LARGE, *other], ratios=(22.0, 0.16), usd_per_hour=3.6, command=COMMAND
    )


@pytest.fixture(scope="module")
def page(found: Findings) -> str:
    return report_page.render(found, "Small & <large>")


class Reader(HTMLParser):
    """Checks that elements are closed in their order, and collects what a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


class TestPage:
    def test_it_is_small_and_whole(self, page: str) -> None:
        reader = read(page)
        assert len(page.encode()) < 1_000_000
        assert (reader.open, reader.wrong) == ([], [])
        assert page.startswith("<!DOCTYPE html>")

    def test_it_needs_nothing_else(self, page: str) -> None:
        assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page)
        tags = read(page).tags
        assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object"}
        links = [value for _, a in tags for name, value in a.items() if name in ("href", "src")]
        assert links
        assert all(value and value.startswith("#") for value in links)

    def test_references_within_it_lead_somewhere_once(self, page: str) -> None:
        ids = [a["id"] for _, a in read(page).tags if "id" in a]
        assert len(ids) == len(set(ids))
        assert set(re.findall(r"(?:href=.|url\()#([\w-]+)", page)) <= set(ids)

    def test_every_point_stands_with_its_n_and_interval(self, found: Findings, page: str) -> None:
        text = " ".join(read(page).text)
        for suite in found.suites:
            for curve in suite.curves:
                for p in curve.points:
                    row = (
                        report_words.configuration(curve.method, p.n, curve.model),
                        f"{curve.problems}",
                        report_words.share(p.accuracy),
                        f"{report_words.share(p.low)} to {report_words.share(p.high)}",
                    )
                    assert " ".join(row) in text

    def test_names_are_escaped_and_the_command_stands_by_the_figures(self, page: str) -> None:
        assert "<title>Small &amp; &lt;large&gt;</title>" in page
        assert "<a>.jsonl" not in page
        figures = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.S)
        assert len(figures) >= 4
        assert all("ponder report &lt;a&gt;.jsonl &amp; b.jsonl" in caption for caption in figures)
        assert all("problems" in caption and "95 %" in caption for caption in figures)

    def test_what_a_pool_calls_itself_is_text(self) -> None:
        odd = "<b>'m'</b>&amp;"
        series = made("majority", {1: share(5), 2: share(6)}, model=odd, source=odd, suite=odd)
        page = report_page.render(findings([series, made("random", {1: share(5)}, suite=odd)]))
        assert "<b>" not in page
        assert page.count("&lt;b&gt;") > 10

    def test_no_dollars_where_none_are_known(self) -> None:
        page = report_page.render(findings(SMALL))
        assert "$" not in page
        assert "dollars" not in page

    def test_coverage_is_drawn_but_never_the_best(self, found: Findings, page: str) -> None:
        suite = found.suites[0]
        named = [b.config.method for best in suite.frontier.values() for b in best]
        named += [m.method for m in suite.matches]
        named += [g.method for g in suite.gains]
        named += [
            side for pairs in suite.equal.values() for e in pairs for side in (e.dear, e.cheap)
        ]
        assert named
        assert not [name for name in named if "coverage" in name]
        assert "coverage (ceiling)" in page

    def test_a_page_that_would_be_too_large_leaves_charts_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = findings([made("random", {1: share(5)}, unit="seconds")], usd_per_hour=1.0)
        page = report_page.render(found)
        monkeypatch.setattr(report_page, "LARGEST", len(page.encode()))
        smaller = report_page.render(found)
        assert page.count("<svg") == smaller.count("<svg") + 1
        assert "left out to keep this page below 1 MB" in smaller
        assert read(smaller).open == []

    @pytest.mark.parametrize(
        "series",
        [
            [made("random", {1: [1.0]})],
            [made("random", {1: [0.0]}), made("coverage", {1: [0.0]})],
            [made("majority", {4: [0.3]}, cost=0.0)],
            [made("coverage", {1: [0.2, 0.4], 2: [0.3, 0.6]})],
            [made("a", {1: [1.0]}, ids=["x"]), made("b", {1: [0.0]}, ids=["y"], levels=["1"])],
            [made("random", {1: [0.5, 1.0]}), made("majority", {1: [0.5, 1.0], 2: [1.0, 1.0]})],
        ],
    )
    def test_tiny_pools_have_a_page_too(self, series: list[Series]) -> None:
        found = findings(series)
        reader = read(report_page.render(found))
        assert (reader.open, reader.wrong) == ([], [])
        json.dumps(found.to_json(), allow_nan=False)

    def test_too_few_points_are_said_to_be(self) -> None:
        series = [made("majority", {1: share(5), 2: share(6)}), made("coverage", {1: share(5)})]
        [suite] = findings(series).suites
        assert suite.curves[0].fits["flops"].line == TooFew(2, 3)
        assert suite.curves[1].law == TooFew(1, 3)
        assert "too few points (2, needs 3)" in report_page.render(findings(series))


def dialled(models: int = 2) -> Findings:
    """Votes of all samples, a rule, a configuration and statements of each model."""
    series, rules, stated = [], [], []
    for i in range(models):
        name = f"model {i}"
        series += [
            made("random", {1: share(4)}, model=name),
            made("majority", {1: share(4), 4: share(6), 8: share(7)}, model=name),
            made("auto <worth>=$1", {1: share(8)}, model=name, cost=5.0),
        ]
        rules.append(made("lead", {8: share(7)}, model=name, cost=0.5))
        right = np.arange(20) % 4 > 0
        stated.append(Stated("suite", name, "votes of 1 to 8", f"{name}.jsonl", np.arange(20),
                             np.full(20, 0.8), right, True))  # fmt: skip
    return findings(series, rules=rules, stated=stated, command=COMMAND)


class TestDial:
    def test_the_page_has_charts_tables_and_a_sentence(self) -> None:
        found = dialled()
        page = report_page.render(found)
        reader = read(page)
        text = " ".join(" ".join(reader.text).split())
        assert (reader.open, reader.wrong) == ([], [])
        assert (
            "A vote of model 0 that ends by lead is as right as the vote of all 8, for 50.0 %"
            in text
        )
        assert "4 FLOPs lead, up to 8 70.0 %" in text
        assert "4 FLOPs vote of 4 60.0 % 31.3 % to 83.2 % 10.0 +0.0 to +30.0 lead, up to 8" in text
        assert "5 FLOPs 1 auto <worth>=$1 80.0 %" in text
        assert "model 0 votes of 1 to 8 20 20 0.190" in text  # 3/4 0.2^2 + 1/4 0.8^2
        assert "80 to 90 % 80.0 % 75.0 %" in text
        names = {chart.name for chart in charts.draw(found.suites[0]).all()}
        assert {"suite-dial", "suite-calibration"} <= names

    def test_every_plan_has_a_mark_with_its_numbers(self) -> None:
        [suite] = dialled().suites
        assert suite.dial is not None
        [drawn] = charts.draw(suite).dial
        text = report_figures.svg(drawn)
        assert text.count("<title>") == len(suite.dial.rows)
        assert "lead, up to 8 of model 0: 70.0 %" in text
        assert "1  auto &lt;worth&gt;=$1" in text

    def test_its_numbers_are_in_the_json(self) -> None:
        told = json.loads(json.dumps(dialled().to_json(), allow_nan=False))
        dial = told["suites"][0]["dial"]
        assert [row["best"] for row in dial["rows"] if row["method"] == "majority"] == [
            "lead, up to 8", "auto <worth>=$1",
        ] * 2  # fmt: skip
        assert dial["savings"][0]["share"] == 0.5
        assert dial["calibrations"][0]["bins"][0]["count"] == 20

    def test_one_file_in_two_places_keeps_its_dial(self) -> None:
        """Models of one name are told apart by their files, and so are their rules."""
        both = [made("majority", {1: share(4), 8: share(n)}, source=f"{n}.jsonl") for n in (6, 7)]
        rules = [made("lead", {8: share(n)}, cost=0.5, source=f"{n}.jsonl") for n in (6, 7)]
        [suite] = findings(both, rules=rules).suites
        assert suite.dial is not None
        assert [(s.model, s.share) for s in suite.dial.savings] == [
            ("small [6.jsonl]", 0.5), ("small [7.jsonl]", 0.5),
        ]  # fmt: skip

    @pytest.mark.parametrize("models", [1, 4, 7])
    def test_any_number_of_models_has_its_panels(self, models: int) -> None:
        [suite] = dialled(models).suites
        drawn = charts.draw(suite)
        for chart in (*drawn.dial, *drawn.calibration):
            assert report_figures.png(chart).startswith(b"\x89PNG")

    def test_without_plans_to_choose_between_there_is_no_section(self) -> None:
        page = report_page.render(findings([made("random", {1: share(5)})]))
        assert "The dial" not in page
        assert "stated confidence" not in page


class TestCharts:
    def test_a_name_for_every_point_and_a_picture(self, found: Findings) -> None:
        drawn = charts.draw(found.suites[0])
        text = report_figures.svg(drawn.accuracy)
        assert text.count("<title>") == sum(len(c.points) for c in found.suites[0].curves)
        assert "majority@16 of small: 44.8 %" in text
        assert len({c.name for c in drawn.all()}) == len(drawn.all())
        assert report_figures.png(drawn.matched[0]).startswith(b"\x89PNG")

    def test_a_picture_that_stands_alone_needs_no_page(self, found: Findings) -> None:
        text = report_figures.document(charts.draw(found.suites[0]).accuracy)
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in text
        assert report_figures.MODELS[0] in text

    def test_words_are_not_shortened_with_the_coordinates(self) -> None:
        def draw(chart: report_figures.Chart) -> None:
            chart.figure.text(0, 0, "$0.00125")

        assert "$0.00125" in report_figures.svg(report_figures.chart("x", 2, 1, draw))

    def test_labels_keep_their_order_and_distance(self) -> None:
        assert report_figures.spread([0.5, 0.1, 0.52], 0.1) == pytest.approx([0.46, 0.1, 0.56])
        assert report_figures.spread([], 0.1) == []

    def test_browns_law_is_fitted_for_coverage_alone(self, found: Findings) -> None:
        laws = {c.label: c.law for c in found.suites[0].curves}
        assert isinstance(laws["coverage of small"], PowerLaw)
        assert laws["majority of small"] is None

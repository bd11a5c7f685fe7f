"""Findings as one page of HTML that needs nothing else: no network, no script, no font.

Conclusions first, then the charts, then the tables they are made of. The tables are in
``report_tables``.
"""

from __future__ import annotations

from collections.abc import Iterable

from ponder.core.visible import escape
from ponder.experiments.report import charts
from ponder.experiments.report import tables as report_tables
from ponder.experiments.report.charts import Drawn
from ponder.experiments.report.figures import Chart, svg
from ponder.experiments.report.narrative import UNIT_NAMES, listed, problems
from ponder.experiments.report.style import STYLE
from ponder.experiments.report.values import Curve, Findings, Headline, Suite, Topic
from ponder.experiments.stats.intervals import RESAMPLES

LARGEST = 1_000_000
"""Bytes. A page that would be larger leaves charts out, and says so."""
_IN_SHORT: dict[Topic, int] = {
    "samples": 4,
    "budget": 1,
    "match": 4,
    "equal": 1,
    "difficulty": 2,
    "price": 1,
}  # how many sentences of each topic stand at the top


def render(findings: Findings, title: str = "Accuracy against compute") -> str:
    """The page, as text. Charts are left out, the least important first, to stay below 1 MB."""
    drawn = {suite.name: charts.draw(suite) for suite in findings.suites}
    for without in ((), ("other_units",), ("other_units", "difficulty")):
        page = _page(findings, title, drawn, frozenset(without))
        if len(page.encode()) < LARGEST:
            break
    return page


def _page(findings: Findings, title: str, drawn: dict[str, Drawn], without: frozenset[str]) -> str:
    suites = findings.suites
    body = [f"<h1>{escape(title)}</h1>", f"<p class='faint'>{_subtitle(findings)}</p>"]
    if findings.command:
        body.append(f"<code class='command'>{escape(findings.command)}</code>")
    if len(suites) > 1:
        links = (f"<a href='#suite-{i}'>{escape(s.name)}</a>" for i, s in enumerate(suites))
        body.append(f"<nav>{''.join(links)}</nav>")
    if without:
        body.append(
            "<p class='faint'>Some charts were left out to keep this page below 1 MB; "
            "<code>--png DIR</code> draws them all.</p>"
        )
    for i, suite in enumerate(suites):
        body += _suite(suite, findings, drawn[suite.name], f"suite-{i}", without)
    body.append(_footer(findings))
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _subtitle(findings: Findings) -> str:
    models = list(dict.fromkeys(c.model for s in findings.suites for c in s.curves))
    return escape(f"{listed([s.name for s in findings.suites])}: {listed(models)}.")


def _suite(
    suite: Suite, findings: Findings, drawn: Drawn, anchor: str, without: frozenset[str]
) -> Iterable[str]:
    command = findings.command
    largest = max(p.n for c in suite.curves for p in c.points)
    yield f"<section id='{anchor}'>"
    yield f"<h2>{escape(suite.name)}</h2>"
    yield (
        f"<p class='faint'>{problems(suite.problems)}, up to {largest} samples of each. Charts "
        f"count {UNIT_NAMES[suite.unit]} unless they say otherwise.</p>"
    )
    yield _in_short(suite)
    yield from (f"<p class='faint'>{escape(note)}</p>" for note in suite.notes)

    yield "<h3>Accuracy against compute</h3>"
    yield _figure(drawn.accuracy, "wide", _caption(suite, command))
    yield from _said(suite, "samples")
    if drawn.other_units and "other_units" not in without:
        yield "<div class='pair'>"
        for chart, unit in zip(
            drawn.other_units, (u for u in suite.units if u != suite.unit), strict=True
        ):
            yield f"<div><h4>The same against {UNIT_NAMES[unit]}</h4>{_figure(chart)}</div>"
        yield "</div>"
    yield _details("Every point: accuracy, interval, cost", report_tables.curves(suite))
    yield _details("Fits: per doubling, and whether the curve flattens", report_tables.fits(suite))

    yield "<h3>The best at each budget</h3>"
    yield from _said(suite, "budget")
    yield report_tables.frontier(suite, suite.unit)
    for unit in suite.units:
        if unit != suite.unit:
            table = report_tables.frontier(suite, unit)
            yield _details(f"The same by {UNIT_NAMES[unit]}", table)

    if suite.matches:
        yield "<h3>More thinking, or more parameters?</h3>"
        yield from (_figure(c, "wide", _matched_caption(suite, command)) for c in drawn.matched)
        yield from _said(suite, "match")
        yield _details("By difficulty and ratio", report_tables.matches(suite), is_open=True)

    if any(suite.equal.values()):
        yield "<h3>At equal accuracy</h3>"
        yield from _said(suite, "equal")
        for unit in suite.units:
            if suite.equal[unit]:
                table = report_tables.equal(suite, unit)
                yield _details(f"Every pair, by {UNIT_NAMES[unit]}", table)

    yield "<h3>By difficulty</h3>"
    if not suite.bins:
        yield (
            "<p class='faint'>No bins: the suite has no levels, and no other "
            "model was recorded on it to make bins from.</p>"
        )
    for bins, chart in zip(suite.bins, drawn.difficulty, strict=True):
        if "difficulty" not in without:
            yield _figure(chart, "wide", _bins_caption(suite, bins.origin, bins.left_out, command))
    yield from _said(suite, "difficulty")
    if suite.gains:
        yield _details("Gains over one sample", report_tables.gains(suite), is_open=True)

    if suite.ceilings:
        yield "<h3>The ceiling: whether any sample is right</h3>"
        yield from (_figure(c, "part", _law_caption(suite, command)) for c in drawn.coverage)
        yield _details("How many problems any sample solves", report_tables.ceilings(suite))
        yield _details("Brown's law", report_tables.laws(suite))

    if drawn.prices:
        yield "<h3>What a right answer costs</h3>"
        yield "<div class='pair'>" + "".join(_figure(c) for c in drawn.prices) + "</div>"
        yield f"<p class='faint'>{_caption(suite, command)}</p>"
        yield from _said(suite, "price")
        yield _details("Every configuration", report_tables.prices(suite))
    yield "</section>"


def _in_short(suite: Suite) -> str:
    items = []
    for topic, most in _IN_SHORT.items():
        own = [h for h in suite.headlines if h.topic == topic]
        items += [f"<li class='{h.tone}'>{escape(h.text)}</li>" for h in own[:most]]
    return f"<ul class='short'>{''.join(items)}</ul>" if items else ""


def _said(suite: Suite, topic: Topic) -> Iterable[str]:
    return (_sentence(h) for h in suite.headlines if h.topic == topic)


def _sentence(said: Headline) -> str:
    detail = f"<span>{escape(said.detail)}</span>" if said.detail else ""
    return f"<p class='said {said.tone}'>{escape(said.text)}{detail}</p>"


def _figure(chart: Chart, kind: str = "", caption: str = "") -> str:
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure class='{kind}'>{svg(chart)}{below}</figure>"


def _details(summary: str, content: str, *, is_open: bool = False) -> str:
    state = " open" if is_open else ""
    return f"<details{state}><summary>{escape(summary)}</summary>{content}</details>"


# Captions -----------------------------------------------------------------------------------------


def _numbers(suite: Suite) -> str:
    """Which problems and samples: per series only where they differ."""
    sizes = {(c.problems, c.points[0].n, c.points[-1].n) for c in suite.curves if _varies(c)}
    if len(sizes) != 1:
        return f"{problems(suite.problems)}; each series' own in the tables"
    [(count, least, most)] = sizes
    return f"{problems(count)}, N = {least} to {most} samples"


def _varies(curve: Curve) -> bool:
    return len(curve.points) > 1


def _caption(suite: Suite, command: str) -> str:
    return f"{_numbers(suite)}. 95 % intervals over problems.{_made_by(command)}"


def _matched_caption(suite: Suite, command: str) -> str:
    return (
        "Accuracy of the smaller model with as many samples as fit, minus that of one sample of "
        f"the larger; paired, 95 % intervals; {problems(suite.problems)}. Grey: the data do not "
        "decide. R is inference tokens per pretraining token; both models are taken to have seen "
        f"equally many (Snell 2024, arXiv 2408.03314, section 7).{_made_by(command)}"
    )


def _bins_caption(suite: Suite, origin: str, left_out: int, command: str) -> str:
    outside = f" {problems(left_out)} without one are left out." if left_out else ""
    return f"Bins are made from {escape(origin)}.{outside} {_caption(suite, command)}"


def _law_caption(suite: Suite, command: str) -> str:
    return (
        "Coverage, whether any of k samples is right, with the power law of Brown 2024 (arXiv "
        f"2407.21787) where it could be fitted. {_caption(suite, command)}"
    )


def _made_by(command: str) -> str:
    return f" Made by <code>{escape(command)}</code>." if command else ""


def _footer(findings: Findings) -> str:
    price = ""
    if findings.usd_per_hour is not None:
        price = f" Seconds without a price cost ${findings.usd_per_hour:g} an hour."
    return (
        "<footer><p>Intervals are 95 %, over problems: what another set of as many problems of the "
        f"kind would give. Percentile bootstrap, {RESAMPLES:,} resamples, fixed seed; Wilson's "
        "where each problem is just right or wrong. With fewer than about thirty problems they are "
        "too narrow. Comparisons are paired on the same problems.</p>"
        "<p>Many intervals stand here, and none is widened for that: of twenty differences that "
        "are zero, one is expected to exclude it. 'The data do not decide' means that the interval "
        "includes zero, not that there is no difference.</p>"
        "<p>Coverage knows the right answers. It is a ceiling and enters no comparison. Nothing is "
        f"extrapolated beyond what was measured.{price}</p></footer>"
    )

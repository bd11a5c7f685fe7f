"""Findings as one page of HTML, by the templates in ``templates``."""

from __future__ import annotations

import jinja2

from ponder.core.text.visible import shown
from ponder.experiments.report import charts, tables
from ponder.experiments.report.figures import svg
from ponder.experiments.report.values import Findings, Headline, Suite, Topic
from ponder.experiments.report.wording import UNIT_NAMES, listed, problems
from ponder.experiments.stats.intervals import RESAMPLES

LARGEST = 1_000_000
"""Most bytes of a page. A larger one leaves charts out, and says so."""
_IN_SHORT: dict[Topic, int] = {
    "samples": 4,
    "budget": 1,
    "dial": 1,
    "match": 4,
    "equal": 1,
    "learning": 1,
    "difficulty": 2,
    "price": 1,
}  # number of sentences of each topic at the top


def render(findings: Findings, title: str = "Accuracy against compute") -> str:
    """Return the page, as text.

    Charts are left out, the least important first, to stay below 1 MB.
    """
    page = _environment().get_template("report.html")
    drawn = {suite.name: charts.draw(suite) for suite in findings.suites}
    models = list(dict.fromkeys(c.model for s in findings.suites for c in s.curves))
    for without in ((), ("other_units",), ("other_units", "difficulty"),
                    ("other_units", "difficulty", "dial")):  # fmt: skip
        text = page.render(
            findings=findings, suites=findings.suites, models=models, title=title, drawn=drawn,
            without=without,
        )  # fmt: skip
        if len(text.encode()) < LARGEST:
            break
    return text


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("ponder.experiments.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
    )
    made.globals |= {
        "in_short": _in_short,
        "listed": listed,
        "numbers": _numbers,
        "problems": problems,
        "resamples": RESAMPLES,
        "svg": svg,
        "tables": tables,
        "unit_names": UNIT_NAMES,
    }
    return made


def _in_short(suite: Suite) -> list[Headline]:
    """Return the sentences at the top of the page."""
    short = []
    for topic, most in _IN_SHORT.items():
        short += [h for h in suite.headlines if h.topic == topic][:most]
    return short


def _numbers(suite: Suite) -> str:
    """Describe the problems and samples: per series only where they differ."""
    varied = [c for c in suite.curves if len(c.points) > 1]
    sizes = {(c.problems, c.points[0].n, c.points[-1].n) for c in varied}
    if len(sizes) != 1:
        return f"{problems(suite.problems)}; each series' own in the tables"
    [(count, least, most)] = sizes
    return f"{problems(count)}, N = {least} to {most} samples"

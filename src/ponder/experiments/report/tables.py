"""The numbers behind the report's charts, as HTML tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from ponder.core.visible import escape
from ponder.experiments.report.economics import Equal, Gap, Price
from ponder.experiments.report.narrative import (
    UNIT_NAMES,
    between,
    configuration,
    points,
    problems,
    quantity,
    share,
    times,
    unused,
)
from ponder.experiments.report.values import Curve, CurvePoint, Suite
from ponder.experiments.stats.fits import Line, Plateau, PowerLaw, TooFew

_TONES = {
    "thinking": "good",
    "parameters": "bad",
    "helps": "good",
    "hurts": "bad",
    "out of reach": "bad",
}


class _Cell(str):
    """HTML of a whole cell, with its ``<td>``."""

    __slots__ = ()


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table. A column whose name ends in ``#`` holds numbers. Text is escaped."""
    classes = [" class='n'" if name.endswith("#") else "" for name in columns]
    head = "".join(
        f"<th{kind}>{escape(name.rstrip('#'))}</th>"
        for name, kind in zip(columns, classes, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            cell if isinstance(cell, _Cell) else f"<td{kind}>{escape(cell)}</td>"
            for cell, kind in zip(row, classes, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _small(main: str, below: str, tone: str = "") -> _Cell:
    """A number with its interval beneath, tinted by what it says."""
    return _Cell(f"<td class='n {tone}'>{escape(main)}<small>{escape(below)}</small></td>")


def _gap(gap: Gap | None, verdict: str) -> _Cell:
    if gap is None:
        return _small("none", "not affordable")
    around = f"{points(gap.low)} to {points(gap.high)}"
    return _small(points(gap.difference), around, _TONES.get(verdict, "open"))


def _interval(low: float, high: float) -> str:
    return f"{share(low)} to {share(high)}"


# Curves and fits ----------------------------------------------------------------------------------


def curves(suite: Suite) -> str:
    """Every point of every series."""
    columns = ["configuration", "problems#", "accuracy#", "95 % interval#"]
    columns += [f"{UNIT_NAMES[u]} per problem#" for u in suite.units]
    rows = [
        (
            configuration(c.method, p.n, c.model),
            f"{c.problems:,}",
            share(p.accuracy) + (f" ± {100 * p.error:.2f}" if p.error else ""),
            f"{_interval(p.low, p.high)}{' (Wilson)' * (p.interval == 'wilson')}",
            *(quantity(p.cost[u], u) if u in p.cost else "unknown" for u in suite.units),
        )
        for c in suite.curves
        for p in c.points
    ]
    errors = any(p.error for c in suite.curves for p in c.points)
    sources = "; ".join(
        f"{escape(model)} from {escape(', '.join(files))}" for model, files in _sources(suite)
    )
    note = f"<p class='faint'>{sources}.</p>"
    if errors:
        note += (
            "<p class='faint'>± is the Monte Carlo standard error in points, where subsets were "
            "drawn; the interval does not include it.</p>"
        )
    return table(columns, rows) + note


def _sources(suite: Suite) -> list[tuple[str, list[str]]]:
    found: dict[str, dict[str, None]] = {}
    for c in suite.curves:
        found.setdefault(c.model, {})[c.source] = None
    return [(model, list(files)) for model, files in found.items()]


def fits(suite: Suite) -> str:
    """Both fits of each series, by the suite's unit."""
    columns = [
        "series", "points#", "problems#", "per doubling#", "95 % interval#", "R²#", "shape",
        "towards#", "95 % interval#", "AICc: line, plateau#",
    ]  # fmt: skip
    rows = [_fit(c, suite.unit) for c in suite.curves if suite.unit in c.fits]
    if not rows:
        return "<p class='faint'>Every series has a single point: nothing to fit.</p>"
    note = (
        "<p class='faint'>Accuracy = intercept + slope · log2(compute), by least squares; the "
        "plateau is top − drop · (compute / least)^−rate. Which of them is better is decided by "
        "the curvature's interval over problems: 'straight or not: undecided' where it includes "
        "zero. AICc needs six points, and takes residuals for independent, which they are not."
        "</p>"
    )
    return table(columns, rows) + note


def _fit(curve: Curve, unit: str) -> tuple[str, ...]:
    line, bend = curve.fits[unit].line, curve.fits[unit].plateau
    name = (curve.label, str(len(curve.points)), f"{curve.problems:,}")
    if isinstance(line, TooFew):
        return (*name, str(line), "", "", "", "", "", "")
    slope = (points(line.slope), _slopes(line), _number(line.r2))
    if isinstance(bend, TooFew):
        return (*name, *slope, str(bend), "", "", "")
    shape = {"undecided": "straight or not: undecided"}.get(bend.bend, bend.bend)
    towards = ("", "")
    if bend.bend == "flattens" and line.slope > 0:
        towards = (share(min(bend.top, 1.0)), _interval(bend.low, bend.high))
    return (*name, *slope, shape, *towards, _aicc(line, bend))


def _slopes(line: Line) -> str:
    if math.isinf(line.low):
        return "one problem: none"
    return f"{points(line.low)} to {points(line.high)}"


def _aicc(line: Line, bend: Plateau) -> str:
    if line.aicc is None or bend.aicc is None:
        return "too few points"
    return f"{line.aicc:.1f}, {bend.aicc:.1f}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def laws(suite: Suite) -> str:
    """Brown's law of each coverage."""
    columns = ["model", "a#", "b#", "95 % interval of b#", "R²#", "points#", "left out (0 or 1)#"]
    rows = []
    for c in suite.curves:
        if isinstance(c.law, PowerLaw):
            law = c.law
            around = "none: resamples reach 0 or 1"
            if law.low is not None and law.high is not None:
                around = f"{law.low:.3f} to {law.high:.3f}"
            numbers = (f"{law.a:.3f}", f"{law.b:.3f}", around, _number(law.r2))
            rows.append((c.model, *numbers, str(law.points), str(law.left_out)))
        elif c.law is not None:
            rows.append((c.model, str(c.law), "", "", "", "", ""))
    return table(columns, rows) + (
        "<p class='faint'>coverage = exp(a k^b), by least squares on log(−log coverage) over "
        "log k.</p>"
    )


# Comparisons --------------------------------------------------------------------------------------


def frontier(suite: Suite, unit: str) -> str:
    """What is best from which budget on, and how sure that is."""
    columns = [
        f"from ({UNIT_NAMES[unit]} per problem)#", "best", "accuracy#", "ahead of",
        "by (points)#", "best in resamples#",
    ]  # fmt: skip
    rows = []
    for best in suite.frontier.get(unit, ()):
        rival, ahead = "nothing else is affordable", ""
        if best.rival is not None and best.ahead is not None:
            rival = configuration(best.rival.method, best.rival.n, best.rival.model)
            ahead = _gap(best.ahead, "helps" if best.ahead.low > 0 else "undecided")
        config = configuration(best.config.method, best.config.n, best.config.model)
        accuracy = _small(share(best.accuracy), _interval(best.low, best.high))
        rows.append((quantity(best.cost, unit), config, accuracy, rival, ahead, share(best.chance)))
    if not rows:
        return "<p class='faint'>Nothing can be compared in this unit.</p>"
    note = (
        f"<p class='faint'>On the {suite.shared:,} problems that all series have. 'Ahead of' is "
        "the next best that the same budget affords; grey means that the data do not decide "
        "between the two. The last column is how often it is the best affordable one when the "
        "problems are resampled.</p>"
    )
    return table(columns, rows) + note


def equal(suite: Suite, unit: str) -> str:
    """The ratio of costs at equal accuracy, for each pair of series."""
    rows = [_equal(e) for e in suite.equal[unit]]
    columns = ["", "needs so many times#", "95 % interval#", "of", "at#", "problems#", ""]
    note = (
        "<p class='faint'>At the accuracy of the weaker series' best point; costs between measured "
        "points are interpolated in their logarithm. Unbounded: some resamples never reach that "
        "accuracy, or the other is above it from its first point on.</p>"
    )
    return table(columns, rows) + note


def _equal(e: Equal) -> tuple[str, ...]:
    return (
        e.dear,
        ("at least " if e.at_least else "") + times(e.ratio),
        f"{times(e.low)} to {times(e.high)}",
        e.cheap,
        share(e.accuracy),
        f"{e.problems:,}",
        "" if e.decided else "the data do not decide",
    )


def matches(suite: Suite) -> str:
    """Small against large: a table for each method, a row for each ratio, a column for each bin."""
    found = []
    for pair in dict.fromkeys((m.small, m.large, m.method) for m in suite.matches):
        own = [m for m in suite.matches if (m.small, m.large, m.method) == pair]
        bins = list(dict.fromkeys(m.bin for m in own))
        cells = {(m.ratio, m.bin): m for m in own}
        counts = {m.bin: m.gap.problems for m in own if m.gap}
        rows = []
        for ratio in dict.fromkeys(m.ratio for m in own):
            first = next(m for m in own if m.ratio == ratio)
            what = "inference FLOPs" if ratio is None else f"total FLOPs, R = {ratio:g}"
            row = [what, quantity(first.budget, "flops"), f"{first.n}{'*' * unused(first)}"]
            for name in bins:
                m = cells.get((ratio, name))
                row.append(_small("", "") if m is None else _gap(m.gap, m.verdict))
            rows.append(row)
        small, large, method = pair
        found.append(f"<h4>{escape(f'{method} of {small} against one sample of {large}')}</h4>")
        found.append(table(["at equal", "budget#", "N#", *_heads(bins, counts)], rows))
    origin = f" Bins are made from {escape(suite.matched_bins)}." if suite.matched_bins else ""
    note = (
        "<p class='faint'>Points, smaller minus larger, with 95 % intervals; green: more thinking "
        "is better; orange: more parameters are; grey: the data do not decide. N is the largest "
        "number of samples that fits; * means that twice as many would have fitted, but were not "
        f"recorded.{origin}</p>"
    )
    return "".join(found) + note


def _heads(bins: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Names of bins with their numbers of problems."""
    return [f"{b or 'all'}: {problems(counts.get(b, 0))}#" for b in bins]


# Difficulty and cost ------------------------------------------------------------------------------


def gains(suite: Suite) -> str:
    """What each method's largest N gains, a column for each bin."""
    tables = []
    for model in dict.fromkeys(g.model for g in suite.gains):
        own = [g for g in suite.gains if g.model == model]
        bins = list(dict.fromkeys(g.bin for g in own))
        cells = {(g.model, g.method, g.n, g.bin): g for g in own}
        rows = []
        for key in dict.fromkeys(k[:3] for k in cells):
            model, method, n = key
            row: list[str] = [configuration(method, n, model)]
            for name in bins:
                g = cells.get((*key, name))
                row.append(_small("", "") if g is None else _gap(g.gap, g.verdict))
            rows.append(row)
        counts = {g.bin: g.gap.problems for g in own}
        tables.append(table(["over one sample", *_heads(bins, counts)], rows))
    note = (
        "<p class='faint'>Points over one sample of the same model, paired, with 95 % intervals; "
        "green helps, orange hurts, grey: the data do not decide.</p>"
    )
    return "".join(tables) + note


def ceilings(suite: Suite) -> str:
    """Counts, and the bound that decides whether a bin is out of reach."""
    columns = ["model", "bin", "one sample#", "solved by any of N#", "N#", "problems#",
               "at most (97.5 %)#", ""]  # fmt: skip
    rows = [
        (
            c.model,
            c.bin or "all problems",
            "unknown" if c.one_sample is None else share(c.one_sample),
            f"{c.solved:.4g}",
            str(c.n),
            f"{c.problems:,}",
            share(c.above),
            "" if c.verdict == "within reach" else c.verdict,
        )
        for c in suite.ceilings
    ]
    note = (
        "<p class='faint'>No choice among N samples can pass their coverage. 'Out of reach' means "
        "that the upper end of the 95 % interval of Clopper and Pearson (1934) is below 5 %; "
        "'none solved' that nothing was, but of too few problems to say that nothing will be. "
        "Counts are expectations where more than N samples are recorded.</p>"
    )
    return table(columns, rows) + note


def prices(suite: Suite) -> str:
    """Cost per right answer of every configuration."""
    columns = [
        "configuration",
        "accuracy#",
        *(f"{UNIT_NAMES[u]} per right answer#" for u in suite.units),
    ]
    rows = [
        (
            configuration(c.method, p.n, c.model),
            share(p.accuracy),
            *(_price(p, u) for u in suite.units),
        )
        for c in suite.curves
        if not c.is_ceiling
        for p in c.points
    ]
    note = (
        "<p class='faint'>Mean cost per problem over accuracy, right or wrong answers paid for "
        "alike. The interval is that of the accuracy alone.</p>"
    )
    return table(columns, rows) + note


def _price(point: CurvePoint, unit: str) -> str:
    price: Price | None = point.per_right_answer.get(unit)
    if price is None:
        return "unknown"
    if price.value is None:
        return _small("none right", f"at least {quantity(price.low, unit)}")
    return _small(quantity(price.value, unit), between(price.low, price.high, unit))

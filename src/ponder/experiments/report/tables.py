"""The numbers behind the report's charts, as tables of text (``templates/tables.html``)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ponder.experiments.report.dial.summary import Calibration, Dial
from ponder.experiments.report.economics import Equal, Price
from ponder.experiments.report.learning import Payback
from ponder.experiments.report.narrative import unused
from ponder.experiments.report.values import Curve, CurvePoint, Suite
from ponder.experiments.report.wording import (
    UNIT_NAMES,
    between,
    configuration,
    count,
    points,
    problems,
    quantity,
    share,
    times,
)
from ponder.experiments.stats.fits import Line, Plateau, PowerLaw, TooFew
from ponder.experiments.stats.paired import Difference

_TONES = {
    "thinking": "good",
    "parameters": "bad",
    "helps": "good",
    "hurts": "bad",
    "out of reach": "bad",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A number with its interval beneath."""

    main: str
    below: str
    tone: str = ""
    """``good``, ``bad`` or ``open`` tints it by its verdict."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. A column whose name ends in ``#`` holds numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    title: str = ""


def _gap(gap: Difference | None, verdict: str) -> Cell:
    if gap is None:
        return Cell("none", "not affordable")
    around = f"{points(gap.low)} to {points(gap.high)}"
    return Cell(points(gap.difference), around, _TONES.get(verdict, "open"))


def _interval(low: float, high: float) -> str:
    return f"{share(low)} to {share(high)}"


# Curves and fits ----------------------------------------------------------------------------------


def curves(suite: Suite) -> Grid:
    """Return every point of every series."""
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
    return Grid(columns, rows)


def sources(suite: Suite) -> list[tuple[str, list[str]]]:
    """Return each model, and the files that its curves come from."""
    found: dict[str, dict[str, None]] = {}
    for c in suite.curves:
        found.setdefault(c.model, {})[c.source] = None
    return [(model, list(files)) for model, files in found.items()]


def fits(suite: Suite) -> Grid:
    """Return both fits of each series, by the suite's unit."""
    columns = [
        "series", "points#", "problems#", "per doubling#", "95 % interval#", "R²#", "shape",
        "towards#", "95 % interval#", "AICc: line, plateau#",
    ]  # fmt: skip
    return Grid(columns, [_fit(c, suite.unit) for c in suite.curves if suite.unit in c.fits])


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


def laws(suite: Suite) -> Grid:
    """Return Brown's law of each coverage."""
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
    return Grid(columns, rows)


# Comparisons --------------------------------------------------------------------------------------


def frontier(suite: Suite, unit: str) -> Grid:
    """Return the best configuration from each budget on, and its margin."""
    columns = [
        f"from ({UNIT_NAMES[unit]} per problem)#", "best", "accuracy#", "ahead of",
        "by (points)#", "best in resamples#",
    ]  # fmt: skip
    rows = []
    for best in suite.frontier.get(unit, ()):
        rival = "nothing else is affordable"
        ahead: str | Cell = ""
        if best.rival is not None and best.ahead is not None:
            rival = configuration(best.rival.method, best.rival.n, best.rival.model)
            ahead = _gap(best.ahead, "helps" if best.ahead.low > 0 else "undecided")
        config = configuration(best.config.method, best.config.n, best.config.model)
        accuracy = Cell(share(best.accuracy), _interval(best.low, best.high))
        rows.append((quantity(best.cost, unit), config, accuracy, rival, ahead, share(best.chance)))
    return Grid(columns, rows)


def equal(suite: Suite, unit: str) -> Grid:
    """Return the ratio of costs at equal accuracy, for each pair of series."""
    columns = ["", "needs so many times#", "95 % interval#", "of", "at#", "problems#", ""]
    return Grid(columns, [_equal(e) for e in suite.equal[unit]])


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


def paybacks(suite: Suite, unit: str) -> Grid:
    """Return the number of questions after which each learned model is paid for."""
    columns = ["", "instead of", "at#", "learning#", "saves#", "paid for after#", "95 % interval#"]
    return Grid(columns, [_payback(one) for one in suite.paybacks[unit]])


def _payback(one: Payback) -> tuple[str, ...]:
    return (
        one.learned,
        one.instead,
        share(one.accuracy),
        quantity(one.cost, one.unit),
        ("at least " if one.at_most else "") + quantity(one.saved, one.unit),
        ("at most " if one.at_most else "") + count(one.questions),
        f"{count(one.low)} to {count(one.high)}",
    )


def matches(suite: Suite) -> Iterator[Grid]:
    """Yield small against large: a table per method, a row per ratio, a column per bin."""
    for pair in dict.fromkeys((m.small, m.large, m.method) for m in suite.matches):
        own = [m for m in suite.matches if (m.small, m.large, m.method) == pair]
        bins = list(dict.fromkeys(m.bin for m in own))
        cells = {(m.ratio, m.bin): m for m in own}
        counts = {m.bin: m.gap.problems for m in own if m.gap}
        rows = []
        for ratio in dict.fromkeys(m.ratio for m in own):
            first = next(m for m in own if m.ratio == ratio)
            what = "inference FLOPs" if ratio is None else f"total FLOPs, R = {ratio:g}"
            row: list[str | Cell] = [what, quantity(first.budget, "flops")]
            row.append(f"{first.n}{'*' * unused(first)}")
            for name in bins:
                m = cells.get((ratio, name))
                row.append(Cell("", "") if m is None else _gap(m.gap, m.verdict))
            rows.append(row)
        small, large, method = pair
        title = f"{method} of {small} against one sample of {large}"
        yield Grid(["at equal", "budget#", "N#", *_heads(bins, counts)], rows, title)


def _heads(bins: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Return names of bins with their numbers of problems."""
    return [f"{b or 'all'}: {problems(counts.get(b, 0))}#" for b in bins]


# The dial -----------------------------------------------------------------------------------------


def plans(dial: Dial, model: str) -> Grid:
    """Return the plans of one model, by cost."""
    columns = [f"{UNIT_NAMES[dial.unit]} per problem#", "plan", "accuracy#", "regret (points)#",
               "better at no more cost", "frontier"]  # fmt: skip
    numbers = {name: f"{i} " for i, name in enumerate(dial.configurations, 1)}
    rows: list[Sequence[str | Cell]] = []
    for row in dial.rows:
        if row.model != model:
            continue
        main = share(row.accuracy) + (f" ± {100 * row.error:.1f}" if row.error else "")
        regret: str | Cell = ""
        if row.best:
            gap = row.regret
            around = f"{points(gap.low)} to {points(gap.high)}"
            tone = "bad" if gap.low > 0 else "open"
            regret = Cell(points(gap.difference, sign=False), around, tone)
        place = "of all" if row.on_frontier else "of the model" if row.leads else ""
        cost = quantity(row.cost[dial.unit], dial.unit)
        name = numbers.get(row.method, "") + row.name
        rows.append((cost, name, Cell(main, _interval(row.low, row.high)), regret, row.best, place))
    return Grid(columns, rows)


def calibrations(dial: Dial) -> Grid:
    """Return the Brier score of each method and model beside that of its base rate."""
    columns = ["model", "stated by", "statements#", "problems#", "Brier score#", "of the rate#",
               "right#"]  # fmt: skip
    rows = [
        (
            one.model,
            one.method,
            f"{one.count:,}",
            f"{one.problems:,}",
            Cell(
                f"{one.brier:.3f}",
                f"{one.low:.3f} to {one.high:.3f}",
                _against(one),
            ),
            f"{one.reference:.3f}",
            share(one.rate),
        )
        for one in dial.calibrations
    ]
    return Grid(columns, rows)


def _against(one: Calibration) -> str:
    """Return the tint of a Brier score beside that of the base rate."""
    if one.high < one.reference:
        return "good"
    return "bad" if one.low > one.reference else "open"


def reliability(dial: Dial) -> Iterator[Grid]:
    """Yield the bins of stated probabilities, a table for each method and model."""
    columns = ["stated", "in the mean#", "right#", "95 % interval#", "statements#", "problems#"]
    for one in dial.calibrations:
        rows = [
            (
                f"{100 * b.low:.0f} to {100 * b.high:.0f} %",
                share(b.stated),
                share(b.right),
                _interval(*b.around) if b.around else "too few",
                f"{b.count:,}",
                f"{b.problems:,}",
            )
            for b in one.bins
        ]
        yield Grid(columns, rows, f"{one.method} of {one.model}")


# Difficulty and cost ------------------------------------------------------------------------------


def gains(suite: Suite) -> Iterator[Grid]:
    """Yield the gain of each method's largest N, a column for each bin."""
    for model in dict.fromkeys(g.model for g in suite.gains):
        own = [g for g in suite.gains if g.model == model]
        bins = list(dict.fromkeys(g.bin for g in own))
        cells = {(g.model, g.method, g.n, g.bin): g for g in own}
        rows = []
        for key in dict.fromkeys(k[:3] for k in cells):
            model, method, n = key
            row: list[str | Cell] = [configuration(method, n, model)]
            for name in bins:
                g = cells.get((*key, name))
                row.append(Cell("", "") if g is None else _gap(g.gap, g.verdict))
            rows.append(row)
        counts = {g.bin: g.gap.problems for g in own}
        yield Grid(["over one sample", *_heads(bins, counts)], rows)


def ceilings(suite: Suite) -> Grid:
    """Return counts, and the bound that decides if a bin is out of reach."""
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
    return Grid(columns, rows)


def prices(suite: Suite) -> Grid:
    """Return the cost per right answer of every configuration."""
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
    return Grid(columns, rows)


def _price(point: CurvePoint, unit: str) -> str | Cell:
    price: Price | None = point.per_right_answer.get(unit)
    if price is None:
        return "unknown"
    if price.value is None:
        return Cell("none right", f"at least {quantity(price.low, unit)}")
    return Cell(quantity(price.value, unit), between(price.low, price.high, unit))

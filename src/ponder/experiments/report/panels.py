"""Charts of the dial: plans by cost and accuracy, a panel for each model, and stated probabilities
against what was right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from ponder.experiments.report.dial.summary import Calibration, Dial, Row
from ponder.experiments.report.dial.votes import RULES
from ponder.experiments.report.figures import (
    FAINT,
    INK,
    MODELS,
    PAPER,
    TRAIL,
    WIDE,
    Chart,
    chart,
    log_axis,
    percent_axis,
)
from ponder.experiments.report.wording import UNIT_NAMES, quantity, share

COLUMNS = 3
PANELS = 6
"""Most panels of stated probabilities."""
LONGEST, NARROW = 60, 42
"""Characters of a name in half of a legend, and above a panel."""
_MARKS = ("o", "s", "^", "D")


def plans(name: str, dial: Dial) -> Chart:
    """Draw accuracy against cost: votes of all samples, votes by rule, and configurations."""
    models = list(dict.fromkeys(row.model for row in dial.rows))
    configurations = dial.configurations
    ruled = {row.method for row in dial.rows if row.kind == "rule"}
    rules = [rule for rule in RULES if rule in ruled]
    columns = min(COLUMNS, len(models))
    rows = math.ceil(len(models) / columns)
    legend = 0.22 * (math.ceil((len(rules) + 4) / 6) + math.ceil(len(configurations) / 2)) + 0.15
    height = (4.2 if len(models) == 1 else 3.1) * rows + legend + 0.35

    def draw(made: Chart) -> None:
        axes = made.figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        made.figure.subplots_adjust(
            left=0.065, right=0.99, wspace=0.08, hspace=0.24, top=1 - (legend + 0.3) / height,
            bottom=0.5 / height,
        )  # fmt: skip
        costs = [row.cost[dial.unit] for row in dial.rows]
        overall = [row for row in dial.rows if row.on_frontier]
        reach = [row.accuracy for row in dial.rows]
        reach += [end for row in dial.rows if row.kind == "configuration"
                  for end in (row.low, row.high)]  # fmt: skip
        for place, ax in enumerate(axes.flat):
            if place >= len(models):
                ax.set_axis_off()
                continue
            own = [row for row in dial.rows if row.model == models[place]]
            below = place + columns >= len(models)
            log_axis(ax, "x", costs, dial.unit,
                     f"{UNIT_NAMES[dial.unit]} per problem (log)" if below else "")  # fmt: skip
            if columns > 1:
                ax.xaxis.set_major_locator(FixedLocator(list(ax.xaxis.get_majorticklocs())[::2]))
            if below:
                ax.tick_params(labelbottom=True)
            percent_axis(ax, "y", reach)
            ax.set_title(models[place], fontsize=9.5, loc="left", color=INK)
            if len(models) > 1:
                _steps(ax, sorted(overall, key=lambda r: r.cost[dial.unit]), dial.unit,
                       color=FAINT, linewidth=1, linestyle=(0, (1, 2)))  # fmt: skip
            _steps(ax, [row for row in own if row.leads], dial.unit, color=TRAIL, linewidth=7)
            _points(made, ax, own, dial.unit, rules, configurations)
        _legend(made, rules, configurations, several=len(models) > 1)

    return chart(f"{name}-dial", WIDE, height, draw)


def _steps(ax: Axes, rows: Sequence[Row], unit: str, **style: Any) -> None:
    x = [*(row.cost[unit] for row in rows), ax.get_xlim()[1]]
    y = [*(row.accuracy for row in rows), rows[-1].accuracy]
    ax.plot(x, y, drawstyle="steps-post", zorder=1, **style)


def _points(
    made: Chart,
    ax: Axes,
    rows: Sequence[Row],
    unit: str,
    rules: Sequence[str],
    configurations: Sequence[str],
) -> None:
    fixed = [row for row in rows if row.kind == "fixed"]
    most = max((row.n for row in rows if row.kind == "rule"), default=0)
    ax.plot([r.cost[unit] for r in fixed], [r.accuracy for r in fixed], color=INK, linewidth=1.4,
            zorder=2)  # fmt: skip
    for row in rows:
        x, y = row.cost[unit], row.accuracy
        tip = made.tip(
            f"{row.name} of {row.model}: {share(y)} ({share(row.low)} to {share(row.high)}) for "
            f"{quantity(x, unit)}"
        )
        if row.kind == "configuration":
            number = configurations.index(row.method) + 1
            ax.plot([x, x], [row.low, row.high], color=INK, linewidth=1.2, alpha=0.4, zorder=2)
            ax.plot([x], [y], marker="D", markersize=6, color=INK, markerfacecolor=PAPER,
                    zorder=5, gid=tip)  # fmt: skip
            ax.annotate(str(number), (x, y), (6, 3), textcoords="offset points", fontsize=8.5)
        elif row.kind == "fixed":
            ax.plot([x], [y], marker="o", markersize=4.5, color=INK, zorder=3, gid=tip)
        else:
            ax.plot([x], [y], zorder=4, gid=tip, **_mark(rules, row.method, hollow=row.n < most))


def _mark(rules: Sequence[str], rule: str, *, hollow: bool = False) -> dict[str, Any]:
    place = rules.index(rule)
    colour = MODELS[place % len(MODELS)]
    face = PAPER if hollow else colour
    return {"marker": _MARKS[place // len(MODELS) % 4], "markersize": 5.5, "linestyle": "",
            "color": colour, "markerfacecolor": face, "markeredgewidth": 1.4}  # fmt: skip


def _legend(
    made: Chart, rules: Sequence[str], configurations: Sequence[str], *, several: bool
) -> None:
    """Name rules and lines above the panels, and below these the configurations by number."""
    marks = [Line2D([], [], label="best of the model", color=TRAIL, linewidth=7)]
    if rules:
        marks.insert(
            0, Line2D([], [], label="votes of all samples", color=INK, marker="o", markersize=4.5)
        )
    if several:
        marks.append(
            Line2D([], [], label="best of all", color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
        )
    if rules:
        hollow = {"marker": "o", "markerfacecolor": PAPER, "linestyle": "", "color": FAINT}
        marks.append(Line2D([], [], label="hollow: a smaller vote", **hollow))  # type: ignore[arg-type]
    marks += [Line2D([], [], label=rule, **_mark(rules, rule)) for rule in rules]
    style: dict[str, Any] = {"loc": "upper left", "frameon": False, "fontsize": 8.5,
                             "handlelength": 1.8, "columnspacing": 1.4,
                             "borderaxespad": 0.1}  # fmt: skip
    made.figure.legend(handles=marks, ncols=6, bbox_to_anchor=(0.05, 1.0), **style)
    if configurations:
        lines = [
            Line2D([], [], label=f"{i}  {_short(one, LONGEST)}", color=INK, marker="D",
                   linestyle="", markersize=5, markerfacecolor=PAPER)
            for i, one in enumerate(configurations, 1)
        ]  # fmt: skip
        down = 0.22 * math.ceil(len(marks) / 6) / made.figure.get_figheight()
        made.figure.legend(handles=lines, ncols=2, bbox_to_anchor=(0.05, 1.0 - down), **style)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def calibration(name: str, dial: Dial) -> Chart:
    """Draw the share of right answers against the stated probability, a panel for each model and
    method, at most ``PANELS``; marks grow with the number of statements.
    """
    shown = dial.calibrations[:PANELS]
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    width, height = 1.0 + 3.1 * columns, 3.0 * rows + 0.6

    def draw(made: Chart) -> None:
        axes = made.figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        made.figure.subplots_adjust(
            left=0.75 / width, right=1 - 0.25 / width, wspace=0.16, hspace=0.32,
            top=1 - 0.45 / height, bottom=0.55 / height,
        )  # fmt: skip
        for place, ax in enumerate(axes.flat):
            if place >= len(shown):
                ax.set_axis_off()
                continue
            _reliability(made, ax, shown[place], MODELS[place % len(MODELS)])
            if place + columns >= len(shown):
                ax.set_xlabel("stated probability")
                ax.tick_params(labelbottom=True)
            if place % columns == 0:
                ax.set_ylabel("right")

    return chart(f"{name}-calibration", width, height, draw)


def _reliability(made: Chart, ax: Axes, one: Calibration, colour: str) -> None:
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
    x, y = [b.stated for b in one.bins], [b.right for b in one.bins]
    ax.plot(x, y, color=colour, linewidth=1.5)
    for b in one.bins:
        words = (
            f"{one.method} of {one.model}: {b.count:,} statements of {share(b.stated)} in the "
            f"mean, {share(b.right)} right"
        )
        if b.around:
            ax.plot([b.stated] * 2, b.around, color=colour, linewidth=1.2, alpha=0.45)
        size = 2.5 + 9 * math.sqrt(b.count / one.count)
        ax.plot([b.stated], [b.right], "o", color=colour, markersize=size, clip_on=False,
                gid=made.tip(words))  # fmt: skip
    percent_axis(ax, "x", [0.0, 1.0])
    percent_axis(ax, "y", [0.0, 1.0])
    ax.xaxis.set_major_locator(FixedLocator([0.0, 0.25, 0.5, 0.75, 1.0]))
    ax.set_title(_short(one.model, NARROW), fontsize=9.5, loc="left", color=INK, pad=17)
    ax.text(0, 1.03, _short(one.method, NARROW), transform=ax.transAxes, fontsize=8, color=FAINT)

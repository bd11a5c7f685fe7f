"""The report's charts, drawn with matplotlib: SVG to stand in a page, PNG to stand alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from ponder.experiments.report.figures import (
    FAINT,
    HALF,
    INK,
    THIRD,
    TRAIL,
    WIDE,
    Chart,
    Look,
    chart,
    log_axis,
    percent_axis,
    short,
    spread,
)
from ponder.experiments.report.panels import calibration, plans
from ponder.experiments.report.table import ONE_SAMPLE
from ponder.experiments.report.values import Curve, Suite
from ponder.experiments.report.wording import UNIT_NAMES, configuration, points, quantity, share
from ponder.experiments.stats.fits import PowerLaw


def accuracy(suite: Suite, unit: str, *, wide: bool) -> Chart:
    """Draw accuracy against compute, all methods and models, with the frontier beneath."""

    def draw(made: Chart) -> None:
        ax = made.figure.add_axes((0.066, 0.125, 0.715, 0.85) if wide else (0.13, 0.17, 0.85, 0.8))
        curves = [c for c in suite.curves if unit in c.points[0].cost]
        look = Look(suite.curves)
        costs = [p.cost[unit] for c in curves for p in c.points]
        log_axis(ax, "x", costs, unit, f"{UNIT_NAMES[unit]} per problem (log)")
        percent_axis(ax, "y", [v for c in curves for p in c.points for v in (p.low, p.high)])
        compares_all = suite.shared == suite.problems  # else the curves are on other problems
        best = suite.frontier.get(unit, ()) if compares_all else ()
        if len(best) > 1:
            x = [*(b.cost for b in best), ax.get_xlim()[1]]
            y = [*(b.accuracy for b in best), best[-1].accuracy]
            ax.plot(x, y, drawstyle="steps-post", color=TRAIL, linewidth=7, zorder=1)
        for curve in curves:
            _draw(made, ax, curve, unit, look)
        if wide:
            _label_ends(ax, curves, unit, look, len(best) > 1)

    size = (WIDE, 5.0) if wide else (THIRD, 3.0)
    return chart(f"{suite.name}-accuracy-{unit}", *size, draw)


def _draw(made: Chart, ax: Axes, curve: Curve, unit: str, look: Look) -> None:
    x = [p.cost[unit] for p in curve.points]
    colour = look.colour(curve.model)
    if len(x) > 1:
        ax.plot(x, [p.accuracy for p in curve.points], zorder=3, **look.line(curve))
        if not curve.is_ceiling:
            low, high = [p.low for p in curve.points], [p.high for p in curve.points]
            ax.fill_between(x, low, high, color=colour, alpha=0.08, linewidth=0, zorder=2)
    else:
        [p] = curve.points
        ax.plot([x[0], x[0]], [p.low, p.high], color=colour, linewidth=1.2, alpha=0.6, zorder=2)
    for cost, p in zip(x, curve.points, strict=True):
        words = (
            f"{configuration(curve.method, p.n, curve.model)}: {share(p.accuracy)} "
            f"({share(p.low)} to {share(p.high)}) for {quantity(cost, unit)}, "
            f"{curve.problems} problems"
        )
        ax.plot([cost], [p.accuracy], gid=made.tip(words), **look.mark(curve))


def _label_ends(
    ax: Axes, curves: Sequence[Curve], unit: str, look: Look, has_frontier: bool
) -> None:
    """Put names in the right margin, each tied to its curve's last point."""
    many = len({c.model for c in curves}) > 1
    starts = {(c.model, c.points[0].n) for c in curves if c.method != ONE_SAMPLE}
    named = [c for c in curves if c.method != ONE_SAMPLE or (c.model, c.points[0].n) not in starts]
    ends = [(c.points[-1].cost[unit], c.points[-1].accuracy) for c in named]
    low, high = ax.get_ylim()
    places = spread([(y - low) / (high - low) for _, y in ends], 0.078 if many else 0.05)
    over = max([0.0, *(p - 0.97 for p in places)])
    for curve, (x, y), place in zip(named, ends, places, strict=True):
        colour = look.colour(curve.model)
        text = f"{short(curve)}\n{curve.model}" if many else short(curve)
        ax.annotate(
            text,
            xy=(x, y),
            xytext=(1.03, place - over),
            textcoords="axes fraction",
            color=colour,
            va="center",
            fontsize=9,
            linespacing=1.1,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.4},
        )
    if has_frontier:
        ax.text(
            0.01,
            0.985,
            "pale band: the best at each budget · hollow: one sample",
            transform=ax.transAxes,
            ha="left",
            va="top",
            fontsize=8.5,
            color=FAINT,
        )


def by_difficulty(suite: Suite, place: int) -> Chart:
    """Draw the same, a panel for each bin of ``suite.bins[place]``, the easiest first."""
    bins = suite.bins[place]
    unit = suite.unit
    columns = min(len(bins.panels), 5 if len(bins.panels) <= 5 else 4)
    rows = math.ceil(len(bins.panels) / columns)

    def draw(made: Chart) -> None:
        look = Look(suite.curves)
        axes = made.figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        height = 2.75 * rows + 0.75
        made.figure.subplots_adjust(
            left=0.06,
            right=0.99,
            wspace=0.1,
            hspace=0.35,
            top=1 - 0.85 / height,
            bottom=0.55 / height,
        )
        inside = [c for panel in bins.panels for c in panel.curves if unit in c.points[0].cost]
        costs = [p.cost[unit] for c in inside for p in c.points]
        for i, ax in enumerate(axes.flat):
            if i >= len(bins.panels):
                ax.set_axis_off()
                continue
            panel = bins.panels[i]
            for curve in panel.curves:
                if unit in curve.points[0].cost:
                    _draw(made, ax, curve, unit, look)
            log_axis(ax, "x", costs, unit, "" if i // columns < rows - 1 else UNIT_NAMES[unit])
            ax.xaxis.set_major_locator(FixedLocator(list(ax.xaxis.get_majorticklocs())[::2]))
            percent_axis(ax, "y", [0.0, 1.0])
            count = max(c.problems for c in panel.curves)
            name, _, range_ = panel.bin.rstrip(")").partition(" (")
            ax.set_title(name, fontsize=9.5, loc="left", color=INK, pad=17)
            below = f"{range_}, {count} problems" if range_ else f"{count} problems"
            ax.text(0, 1.03, below, transform=ax.transAxes, fontsize=8, color=FAINT)
        _legend(made, [c for c in suite.curves if bins.model in ("", c.model)], look)

    name = f"{suite.name}-difficulty" + (f"-{bins.model}" if bins.model else "")
    return chart(name, WIDE, 2.75 * rows + 0.75, draw)


def _legend(made: Chart, curves: Sequence[Curve], look: Look) -> None:
    models = list(dict.fromkeys(c.model for c in curves))
    handles: list[Line2D] = [
        Line2D([], [], color=look.colour(m), linewidth=5, label=m) for m in models
    ]
    seen: dict[str, Line2D] = {}
    for c in curves:
        style = {**({} if c.is_ceiling else look.mark(c)), **look.line(c), "color": FAINT}
        if c.method == ONE_SAMPLE:
            style["linestyle"] = ""
        seen.setdefault(c.method, Line2D([], [], label=short(c), **style))
    made.figure.legend(
        handles=[*handles, *seen.values()],
        loc="upper left",
        bbox_to_anchor=(0.05, 1.0),
        ncols=8,
        frameon=False,
        fontsize=8.5,
        handlelength=2.2,
        columnspacing=1.6,
        borderaxespad=0.1,
    )


def coverage(suite: Suite) -> Chart:
    """Draw coverage against the number of samples, with Brown's law where it was fitted."""

    def draw(made: Chart) -> None:
        ax = made.figure.add_axes((0.1, 0.15, 0.62, 0.82))
        look, ceilings = Look(suite.curves), [c for c in suite.curves if c.is_ceiling]
        sizes = [float(p.n) for c in ceilings for p in c.points]
        log_axis(ax, "x", sizes, "samples", "samples k (log)")
        percent_axis(ax, "y", [v for c in ceilings for p in c.points for v in (p.low, p.high)])
        ends = [c.points[-1].accuracy for c in ceilings]
        low, high = ax.get_ylim()
        places = spread([(y - low) / (high - low) for y in ends], 0.16)
        for curve, place in zip(ceilings, places, strict=True):
            colour, law = look.colour(curve.model), curve.law
            k = [float(p.n) for p in curve.points]
            for x, p in zip(k, curve.points, strict=True):
                words = f"coverage@{p.n} of {curve.model}: {share(p.accuracy)}"
                ax.plot([x, x], [p.low, p.high], color=colour, linewidth=1.2, alpha=0.5)
                ax.plot([x], [p.accuracy], "o", color=colour, markersize=5, gid=made.tip(words))
            words = curve.model
            if isinstance(law, PowerLaw):
                dense = np.geomspace(k[0], k[-1], 60)
                ax.plot(dense, np.exp(law.a * dense**law.b), color=colour, linewidth=1.5)
                words += f"\nexp({law.a:.2f} k^{law.b:.2f})".replace("-", "−")
            ax.text(
                1.03, place, words, transform=ax.transAxes, color=colour, va="center", fontsize=9
            )

    return chart(f"{suite.name}-coverage", 7.2, 3.6, draw)


def price(suite: Suite, unit: str) -> Chart:
    """Draw cost per right answer against accuracy."""

    def draw(made: Chart) -> None:
        ax = made.figure.add_axes((0.125, 0.15, 0.85, 0.76))
        look = Look(suite.curves)
        shown = [c for c in suite.curves if not c.is_ceiling and unit in c.points[0].cost]
        values: list[float] = []
        rightmost = max(p.accuracy for c in shown for p in c.points)
        for curve in shown:
            priced = [
                (p, price.value)
                for p in curve.points
                if (price := p.per_right_answer[unit]).value is not None
            ]
            xs, ys = [p.accuracy for p, _ in priced], [v for _, v in priced if v is not None]
            values += ys
            if len(xs) > 1:
                ax.plot(xs, ys, zorder=3, **look.line(curve))
            for (p, _), y in zip(priced, ys, strict=True):
                around, name = (
                    p.per_right_answer[unit],
                    configuration(curve.method, p.n, curve.model),
                )
                words = f"{name}: {quantity(y, unit)} per right answer, {share(p.accuracy)} right"
                if around.high is not None:
                    values += [around.low, around.high]
                    ends, colour = [around.low, around.high], look.colour(curve.model)
                    ax.plot([p.accuracy] * 2, ends, color=colour, linewidth=1.2, alpha=0.35)
                ax.plot(
                    [p.accuracy],
                    [y],
                    gid=made.tip(words),
                    **look.mark(curve),
                )
            if priced and len(xs) > 1:
                ax.annotate(
                    configuration(curve.method, priced[-1][0].n),
                    (xs[-1], ys[-1]),
                    (0, 8),
                    textcoords="offset points",
                    ha="right" if xs[-1] > 0.75 * rightmost else "center",
                    fontsize=8.5,
                    color=look.colour(curve.model),
                )
        log_axis(ax, "y", [*values, *(max(values, default=1.0) * 1.3,)], unit, "")
        percent_axis(ax, "x", [p.accuracy for c in shown for p in c.points])
        ax.set_xlabel("accuracy")
        ax.set_title(
            f"{UNIT_NAMES[unit]} per right answer (log)", loc="left", fontsize=9.5, color=FAINT
        )

    return chart(f"{suite.name}-price-{unit}", HALF, 3.6, draw)


def matched(suite: Suite) -> Chart:
    """Draw smaller minus larger at matched FLOPs: a row per ratio, grouped by pair and method."""
    shown = [m for m in suite.matches if not m.bin]
    groups = list(dict.fromkeys((m.small, m.large, m.method) for m in shown))
    rows = len(shown) + 1.1 * len(groups)
    height = 0.27 * rows + 0.9

    def draw(made: Chart) -> None:
        ax = made.figure.add_axes((0.3, 0.52 / height, 0.67, 1 - 0.85 / height))
        look = Look(suite.curves)
        ax.axvline(0, color=FAINT, linewidth=1)
        y = 0.0
        for group in groups:
            small, large, method = group
            title = f"{method} of {small} against one sample of {large}"
            ax.text(-0.43, y, title, transform=ax.get_yaxis_transform(), fontsize=9.5, va="center")
            y += 1
            for m in (m for m in shown if (m.small, m.large, m.method) == group):
                what = "inference alone" if m.ratio is None else f"total FLOPs, R = {m.ratio:g}"
                text = f"{what}, N = {m.n}" if m.n else f"{what}: nothing affordable"
                ax.text(
                    -0.02,
                    y,
                    text,
                    transform=ax.get_yaxis_transform(),
                    fontsize=8.5,
                    va="center",
                    ha="right",
                    color=FAINT,
                )
                if m.gap:
                    winner = {"thinking": small, "parameters": large}.get(m.verdict)
                    colour = look.colour(winner) if winner else FAINT
                    words = (
                        f"{points(m.gap.difference)} points ({points(m.gap.low)} to "
                        f"{points(m.gap.high)}), {m.gap.problems} problems: {m.verdict}"
                    )
                    ax.plot([m.gap.low, m.gap.high], [y, y], color=colour, linewidth=2.2)
                    ax.plot([m.gap.difference], [y], "o", color=colour, gid=made.tip(words))
                y += 1
            y += 0.1
        ends = [abs(v) for m in shown if m.gap for v in (m.gap.low, m.gap.high)]
        reach = max([0.05, *ends]) * 1.1
        ax.set_xlim(-reach, reach)
        ax.set_ylim(y - 0.5, -0.7)
        ax.set_yticks([])
        ax.grid(True, axis="x")
        ax.xaxis.set_major_formatter(
            FuncFormatter(lambda v, _: f"{100 * v:+.0f}".replace("-", "−"))
        )
        ax.set_xlabel("points")
        for x, side, words in (
            (0.0, "left", "more parameters are better"),
            (1.0, "right", "more thinking is better"),
        ):
            ax.annotate(
                words,
                (x, 0),
                (0, -29),
                xycoords="axes fraction",
                textcoords="offset points",
                ha=side,
                color=FAINT,
            )

    return chart(f"{suite.name}-matched", WIDE, height, draw)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The charts of one suite, by subject; empty where there is nothing to draw."""

    accuracy: Chart
    other_units: tuple[Chart, ...]
    difficulty: tuple[Chart, ...]
    coverage: tuple[Chart, ...]
    matched: tuple[Chart, ...]
    prices: tuple[Chart, ...]
    dial: tuple[Chart, ...] = ()
    calibration: tuple[Chart, ...] = ()

    def all(self) -> tuple[Chart, ...]:
        """Return all charts."""
        several = (self.other_units, self.difficulty, self.coverage, self.matched, self.prices,
                   self.dial, self.calibration)  # fmt: skip
        return (self.accuracy, *(chart for charts in several for chart in charts))


def draw(suite: Suite) -> Drawn:
    """Draw all charts of one suite."""
    priced = [u for u in suite.units if u in ("usd", "flops")] or [suite.unit]
    dial = suite.dial
    right = any(p.accuracy > 0 for c in suite.curves if not c.is_ceiling for p in c.points)
    return Drawn(
        accuracy=accuracy(suite, suite.unit, wide=True),
        other_units=tuple(accuracy(suite, u, wide=False) for u in suite.units if u != suite.unit),
        difficulty=tuple(by_difficulty(suite, i) for i in range(len(suite.bins))),
        coverage=(coverage(suite),) if any(c.is_ceiling for c in suite.curves) else (),
        matched=(matched(suite),) if suite.matches else (),
        prices=tuple(price(suite, u) for u in priced) if right else (),
        dial=(plans(suite.name, dial),) if dial and dial.rows else (),
        calibration=(calibration(suite.name, dial),) if dial and dial.calibrations else (),
    )

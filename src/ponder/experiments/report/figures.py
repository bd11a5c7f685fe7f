"""Parts shared by the report's charts: figures as SVG and PNG, colours, lines and axes.

Object-oriented API and Agg only, no global state. Colours are Okabe and Ito's (2008), which are
safe for colour-blind readers; one per model, one line style per method. In the SVG they are CSS
variables, so that the page can replace them in the dark.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ponder.core.text.visible import escape
from ponder.experiments.report.table import ONE_SAMPLE
from ponder.experiments.report.values import Curve
from ponder.experiments.report.wording import quantity

INK, FAINT, GRID, TRAIL, PAPER = "#22262b", "#6b7280", "#e3e6ea", "#f3e5b5", "#fffffe"
MODELS = ("#0072b2", "#d55e00", "#009e73", "#b4569a", "#b57900", "#3b9ad9")
VARIABLES = {
    INK: "--ink",
    FAINT: "--faint",
    GRID: "--grid",
    TRAIL: "--trail",
    PAPER: "--paper",
    **{colour: f"--m{i}" for i, colour in enumerate(MODELS)},
}
WIDE, HALF, THIRD = 10.4, 5.2, 4.2  # inches, of figures that fill so much of the page
_DASHES = ("-", (0, (5, 2)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_MARKERS = ("o", "s", "^", "D")
_CEILING = (0, (1, 2.2))
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "svg.fonttype": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure."""

    name: str
    figure: Figure
    tips: list[str] = field(default_factory=list)
    """Words that a pointer over ``tip-0``, ``tip-1``, ... shows."""

    def tip(self, words: str) -> str:
        """Return the ID of the mark that shows these words."""
        self.tips.append(words)
        return f"tip-{len(self.tips) - 1}"


def chart(name: str, width: float, height: float, draw: Callable[[Chart], None]) -> Chart:
    """Return a figure of so many inches, drawn in the house style."""
    with matplotlib.rc_context(_STYLE):
        made = Chart(name, Figure(figsize=(width, height), layout=None))
        FigureCanvasAgg(made.figure)
        draw(made)
    return made


def png(made: Chart) -> bytes:
    """Return a picture on white, 160 dots per inch."""
    with matplotlib.rc_context(_STYLE):
        out = io.BytesIO()
        made.figure.savefig(out, format="png", dpi=160, facecolor="white")
    return out.getvalue()


def svg(made: Chart) -> str:
    """Return an ``<svg>`` element without outer references, whose IDs no other chart has.

    The page sets ``--font`` and the colours' variables.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": made.name}):
        out = io.StringIO()
        made.figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None
    text = text[text.index("<svg") :].partition(">")[2]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.S)
    text = text.replace("xlink:href", "href")
    for i, words in enumerate(made.tips):
        text = text.replace(f'<g id="tip-{i}">', f'<g class="tip"><title>{escape(words)}</title>')
    used = set(re.findall(r'(?:url\(|href=")#(\w+)', text))
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var({name})")
    label = escape(made.name, quote=True)
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{label}">{_compact(text)}'


def document(made: Chart) -> str:
    """Return the same drawing as a file of its own, on white."""
    text = svg(made)
    for colour, name in VARIABLES.items():
        text = text.replace(f"var({name})", colour)
    style = "background:white;font-family:sans-serif"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" style="{style}" '
    return f"{head}{text.removeprefix('<svg ')}\n"


def _compact(text: str) -> str:
    """Return the same drawing in about half of the bytes."""
    text = re.sub(r"<[^>]*>", lambda m: re.sub(r"(\.\d{2})\d+", r"\1", m[0]), text)
    text = re.sub(r" transform=\"rotate\(-0 [^\"]*\"| font-family: '[^']*';", "", text)
    text = re.sub(r'<path d="[^"]*" style="fill: none"/>|<g/>|<defs>\s*</defs>', "", text)
    text = re.sub(r"\s*\n\s*(?=[<LMCQz\"])", "", text)
    text = re.sub(r'style="[^"]*"', lambda m: re.sub(r"([:;]) ", r"\1", m[0]), text)
    kept: list[bool] = []

    def group(found: re.Match[str]) -> str:
        if found[0] != "</g>":
            kept.append(found[0] != "<g>")
            return found[0] if kept[-1] else ""
        return found[0] if kept.pop() else ""

    return re.sub(r"<g(?: [^>]*)?>|</g>", group, text).strip()


# Style of series ----------------------------------------------------------------------------------


class Look:
    """The colour of each model and the line of each method, the same in all charts of a suite."""

    def __init__(self, curves: Sequence[Curve]) -> None:
        self._models = list(dict.fromkeys(c.model for c in curves))
        plain = (c.method for c in curves if not c.is_ceiling and c.method != ONE_SAMPLE)
        self._methods = list(dict.fromkeys(plain))

    def colour(self, model: str) -> str:
        """Return the colour of a model; they repeat after six."""
        place = self._models.index(model) if model in self._models else 0
        return MODELS[place % len(MODELS)]

    def line(self, curve: Curve) -> dict[str, Any]:
        """Return keywords of ``Axes.plot`` for the line alone."""
        colour = self.colour(curve.model)
        if curve.is_ceiling:
            return {"color": colour, "linestyle": _CEILING, "linewidth": 1.3, "alpha": 0.75}
        place = self._methods.index(curve.method) if curve.method in self._methods else 0
        return {"color": colour, "linestyle": _DASHES[place % 4], "linewidth": 1.9}

    def mark(self, curve: Curve) -> dict[str, Any]:
        """Return keywords of ``Axes.plot`` for one of its points."""
        return {"zorder": 4, "linestyle": "", **self._shape(curve)}

    def _shape(self, curve: Curve) -> dict[str, Any]:
        colour = self.colour(curve.model)
        if curve.is_ceiling:
            return {"color": colour, "marker": ".", "markersize": 4, "alpha": 0.75}
        if curve.method == ONE_SAMPLE:
            hollow = {"markerfacecolor": PAPER, "markeredgewidth": 1.7, "zorder": 5}
            return {"color": colour, "marker": "o", "markersize": 6.5, **hollow}
        place = self._methods.index(curve.method) if curve.method in self._methods else 0
        return {"color": colour, "marker": _MARKERS[place % 4], "markersize": 5}


def short(curve: Curve) -> str:
    """Return the method, as a chart labels it."""
    names = {ONE_SAMPLE: "one sample", "coverage": "coverage (ceiling)"}
    return names.get(curve.method, curve.method)


# Axes ---------------------------------------------------------------------------------------------


def log_axis(ax: Axes, which: str, values: Iterable[float], unit: str, label: str) -> None:
    """Draw a logarithmic axis that holds ``values``, with few round ticks."""
    known = [v for v in values if v > 0 and math.isfinite(v)] or [1.0]
    low, high = min(known) / 1.25, max(known) * 1.25  # room for marks, and for a lone point
    steps: tuple[float, ...] = (1.0, 2.0, 5.0) if high / low < 60 else (1.0, 3.0)
    steps = (1.0,) if high / low > 3_000 else steps
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
    if unit == "samples":
        ticks = sorted(set(known))
    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: tick(float(v), unit)))
    (ax.set_xlabel if which == "x" else ax.set_ylabel)(label)


def tick(value: float, unit: str) -> str:
    """Return a tick's label: ``300G``, ``$0.02``, ``10k``."""
    text = quantity(value, unit)
    return re.sub(r" ?(FLOPs|tokens|samples?)$", "", text)


def percent_axis(ax: Axes, which: str, values: Sequence[float]) -> None:
    """Draw an axis from the least to the largest accuracy, with a little room, within 0 and 1."""
    low, high = min(values), max(values)
    decimals = 1 if high - low < 0.05 else 0
    room = 0.025 if decimals else max(0.04 * (high - low), 0.01)
    (ax.set_xlim if which == "x" else ax.set_ylim)(max(low - room, -0.02), min(high + room, 1.02))
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{round(100 * v, decimals) + 0.0:g} %"))


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Return positions as near as possible to ``wanted``, in order, at least ``gap`` apart."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[tuple[float, list[int]]] = []  # (middle, members)
    for i in order:
        middle, members = wanted[i], [i]
        while blocks and middle - blocks[-1][0] < gap * (len(members) + len(blocks[-1][1])) / 2:
            before, others = blocks.pop()
            total = len(members) + len(others)
            middle = (middle * len(members) + before * len(others)) / total
            members = others + members
        blocks.append((middle, members))
    placed = [0.0] * len(wanted)
    for middle, members in blocks:
        for k, i in enumerate(members):
            placed[i] = middle + gap * (k - (len(members) - 1) / 2)
    return placed

"""A report's wording: names of series and configurations, numbers with units, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ponder.experiments.report.table import CEILING, ONE_SAMPLE
from ponder.experiments.stats.paired import Difference

UNIT_NAMES = {
    "flops": "FLOPs",
    "tokens": "tokens",
    "seconds": "seconds",
    "usd": "dollars",
    "samples": "samples",
}
_AGGREGATORS = ("majority", "weighted", "best", "coverage")
_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def label(method: str, model: str) -> str:
    """Return a series' label, such as ``majority of M``."""
    names = {ONE_SAMPLE: "one sample of", CEILING: "coverage of"}
    return f"{names.get(method, f'{method} of')} {model}"


def configuration(method: str, n: int, model: str = "") -> str:
    """Return a point's label, such as ``majority@8 of M``; without ``model``, ``majority@8``."""
    if method == ONE_SAMPLE:
        name = "one sample"
    elif method.partition(":")[0] in _AGGREGATORS:
        name = f"{method}@{n}"
    else:
        name = method
    return f"{name} of {model}" if model else name


def share(value: float) -> str:
    """Return an accuracy in per cent."""
    return f"{100 * value:.1f} %"


def points(value: float, *, sign: bool = True) -> str:
    """Return a difference of accuracies in percentage points."""
    return f"{100 * value:{'+' if sign else ''}.1f}".replace("-", "−")


def quantity(value: float | None, unit: str) -> str:
    """Return a cost with its unit, in three digits: ``2.1 TFLOPs``, ``1.3k tokens``."""
    if value is None or not math.isfinite(value):
        return "unbounded"
    if unit == "usd":
        return f"${_plain(value)}"
    if unit == "seconds":
        return f"{_plain(value)} s"
    for size, prefix in _PREFIXES:
        if value >= size * 0.9995:
            number = _plain(value / size)
            return f"{number} {prefix}FLOPs" if unit == "flops" else f"{number}{prefix} {unit}"
    name = UNIT_NAMES[unit] if value != 1 or unit == "flops" else unit.rstrip("s")
    return f"{_plain(value)} {name}"


def between(low: float | None, high: float | None, unit: str) -> str:
    """Return an interval of costs."""
    return f"{quantity(low, unit)} to {quantity(high, unit)}"


def around(gap: Difference) -> str:
    """Return the interval of a paired difference, and its number of problems."""
    return f"95 % interval {points(gap.low)} to {points(gap.high)}; {problems(gap.problems)}"


def problems(count: int) -> str:
    """Return ``1 problem``, ``200 problems``."""
    return f"{count:,} problem{'s' * (count != 1)}"


def times(value: float) -> str:
    """Return a ratio in two or three digits."""
    return "unbounded" if math.isinf(value) else _plain(value)


def count(value: float) -> str:
    """Return a number of questions in three digits, rounded up to a whole one."""
    if math.isinf(value):
        return "unbounded"
    whole = math.ceil(value)
    return f"{round(whole, 3 - len(str(whole))):,}"


def listed(names: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

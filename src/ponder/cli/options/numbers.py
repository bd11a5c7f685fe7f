"""Numbers on the command line."""

from __future__ import annotations

import math
from typing import Any

import click

from ponder.core.errors import UsageError


class Finite(click.FloatRange):
    """A finite number within a range, as the type of an option. For click, nan is in every one."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number.

        Raises:
            click.BadParameter: it is none.
        """
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


ABOVE_ZERO = Finite(0, min_open=True)


def whole_numbers(option: str, text: str | None) -> list[int]:
    """Return the whole numbers above zero in ``1,2,4``; an option that was not given has none.

    Raises:
        UsageError: the text has another form.
    """
    parts = [] if text is None else _parts(text)
    if text is not None and not all(p.isascii() and p.isdigit() and int(p) for p in parts):
        raise UsageError(
            f"{option}: expected whole numbers above zero, such as 1,2,4,8, not {text!r}."
        )
    return [*map(int, parts)]


def numbers_above_zero(option: str, text: str | None) -> list[float]:
    """Return the numbers above zero in ``0.1,1,10``; an option that was not given has none.

    Raises:
        UsageError: the text has another form.
    """
    if text is None:
        return []
    values = [_above_zero(part) for part in _parts(text)]
    if None in values:
        raise UsageError(f"{option}: expected numbers above 0, such as 0.1,1,10, not {text!r}.")
    return [value for value in values if value is not None]


def number_above_zero(option: str, text: str) -> float:
    """Return one number above zero.

    Raises:
        UsageError: the text is none.
    """
    value = _above_zero(text)
    if value is None:
        raise UsageError(f"{option}: expected one number above 0, not {text!r}.")
    return value


def size(option: str, text: str | None) -> int | None:
    """Return a whole number above zero, such as ``500000``, ``500k`` or ``1.5m``.

    An option that was not given is None.

    Raises:
        UsageError: the text is none.
    """
    if text is None:
        return None
    word = text.strip().lower()
    times = {"k": 10**3, "m": 10**6}.get(word[-1:], 1)
    value = _above_zero((word[:-1] if times > 1 else word).replace("_", ""))
    number = value * times if value is not None else 0.5
    if number != round(number):
        raise UsageError(
            f"{option}: expected a whole number such as 20000, 500k or 1.5m, not {text!r}."
        )
    return round(number)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _above_zero(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None

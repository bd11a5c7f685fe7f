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


class Tokens(click.types.IntParamType):
    """A whole number, such as ``500000``, ``500k`` or ``1.5m``, as the type of an option."""

    name = "n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number.

        Raises:
            click.BadParameter: it is none.
        """
        word = str(value).strip().lower().replace("_", "")
        times = {"k": 10**3, "m": 10**6}.get(word[-1:], 1)
        try:
            number = float(word[:-1] if times > 1 else word) * times
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number != round(number):
            self.fail(
                f"expected a whole number such as 20000, 500k or 1.5m, not {value!r}.", param, ctx
            )
        return round(number)


TOKENS = Tokens()


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


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _above_zero(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None

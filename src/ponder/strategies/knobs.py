"""Knobs: the keyword parameters of a strategy, with name, type, range and default in one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from ponder.core.errors import UnknownName, UsageError
from ponder.core.steps import MARKS, SEPARATORS, step


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both inclusive."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Open:
    """Permitted values of a text: fixed names, or names with any arguments."""

    names: tuple[str, ...]
    """The fixed names."""
    other: str = ""
    """The name that takes arguments; '' if all of them do."""
    check: Callable[[str], object] | None = None
    """Raises ``UsageError`` for an invalid value."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A value of a type of its own."""

    read: Callable[[Any], Any]
    """Makes it from user input; raises ``UsageError``."""
    values: tuple[str, ...]
    """Descriptions of its permitted values, for a person."""


StepKind = Annotated[str, Open(tuple(SEPARATORS), MARKS, step), "What ends a step."]
"""The knob ``steps``: the kind of step (``core.steps``)."""
StepTokens = Annotated[int, Range(1, 4096), "Most tokens that a step may have."]
"""The knob ``step_tokens``."""


@dataclass(frozen=True, slots=True)
class Knob:
    """One knob."""

    name: str
    kind: type
    """int, float, bool or str."""
    default: Any
    range: Range | None = None
    choices: tuple[str, ...] = ()
    """The permitted values, if they are limited."""
    other: str = ""
    """Name that is permitted besides ``choices``, with arguments."""
    parsed: Parsed | None = None
    """Reads a value of a type of its own."""
    check: Callable[[str], object] | None = None
    """Raises ``UsageError`` for an invalid value, if there is such a name."""
    about: str = ""
    """The description written beside it."""

    @property
    def values(self) -> tuple[str, ...]:
        """The choices, as displayed."""
        if self.parsed:
            return self.parsed.values
        return (*self.choices, f"{self.other}(TEXT)") if self.other else self.choices

    def read(self, value: Any) -> Any:
        """Return a checked value, from Python or from the command line.

        Raises:
            UsageError: wrong type, out of range, or not among the choices.
        """
        if self.parsed:
            return self.parsed.read(value)
        if self.choices:
            text = value if isinstance(value, str) else ""
            written = text.startswith(f"{self.other}(") if self.other else bool(text and self.check)
            if value not in self.choices and not written:
                raise UsageError(
                    f"knob {self.name!r} must be one of {', '.join(self.values)}, not {value!r}."
                )
            if self.check:
                self.check(value)
            return value
        try:
            number = self._number(value)
        except (ValueError, TypeError, OverflowError):
            what = {int: "a whole number", float: "a number", bool: "true or false"}
            said = what.get(self.kind, "a text")
            raise UsageError(f"knob {self.name!r} must be {said}, not {value!r}.") from None
        if self.range and not self.range.low <= number <= self.range.high:
            raise UsageError(
                f"knob {self.name!r} must be between {self.range.low:,.10g} and "
                f"{self.range.high:,.10g}, not {value!r}."
            )
        return number

    def _number(self, value: Any) -> Any:
        if self.kind is bool:
            words = {"true": True, "false": False, True: True, False: False}
            value = value.lower() if isinstance(value, str) else value
            if value not in words:
                raise ValueError(value)
            return words[value]
        if isinstance(value, bool):
            raise TypeError(value)
        if self.kind is not str and isinstance(value, str) and "_" in value:
            raise ValueError(value)  # Python would read 1_0 as ten
        number = self.kind(value)
        if not isinstance(value, str) and number != value:
            raise ValueError(value)  # 2.5 is not an integer
        return number


@functools.cache
def knobs(function: Callable[..., Any]) -> dict[str, Knob]:
    """Return the knobs of a strategy, by name."""
    hints = get_type_hints(function, include_extras=True)
    found = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        name, hint, default = parameter.name, hints[parameter.name], parameter.default
        hint, *said = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        about = next((one for one in said if isinstance(one, str)), "")
        bounds = next((one for one in said if isinstance(one, Range)), None)
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        kind = str if choices else hint
        found[name] = Knob(name, kind, default, bounds, choices, about=about)
        if parsed := next((one for one in said if isinstance(one, Parsed)), None):
            found[name] = Knob(name, object, default, parsed=parsed, about=about)
        if opened := next((one for one in said if isinstance(one, Open)), None):
            found[name] = replace(
                found[name], choices=opened.names, other=opened.other, check=opened.check
            )
    return found


def read(known: Mapping[str, Knob], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all knobs with their values: the defaults, overridden by those given.

    Raises:
        UnknownName: there is no such knob.
        UsageError: a value is invalid.
    """
    for name in given:
        if name not in known:
            raise UnknownName("knob", name, known)
    return {
        name: knob.read(given[name]) if name in given else knob.default
        for name, knob in known.items()
    }

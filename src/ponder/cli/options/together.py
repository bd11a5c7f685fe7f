"""Options that say nothing without another one, or beside it: neither is ignored."""

from __future__ import annotations

from ponder.core.errors import UsageError


def needs(option: str, given: object, other: str, there: object) -> None:
    """Refuse an option that is about another one, where that is absent.

    Raises:
        UsageError: only the first was given.
    """
    if given and not there:
        raise UsageError(f"{option} says nothing without {other}: give both, or leave it out.")


def apart(option: str, given: object, other: str, there: object) -> None:
    """Refuse two options that contradict each other.

    Raises:
        UsageError: both were given.
    """
    if given and there:
        raise UsageError(f"{option} and {other} exclude each other: give one of them.")

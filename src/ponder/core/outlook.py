"""Forecast of a vote's end: the samples that arrived, and a forecast from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seen:
    """The samples of a problem that have arrived."""

    counts: tuple[int, ...] = ()
    """Votes of each answer, in descending order."""
    silent: int = 0
    """Number of samples without an answer."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return sum(self.counts) + self.silent

    @property
    def lead(self) -> tuple[int, int]:
        """Votes of the leader and of the runner-up; zero if there is none."""
        first, second = (*self.counts, 0, 0)[:2]
        return first, second


class Outlook(Protocol):
    """Forecasts how likely the leading answer is right."""

    @property
    def basis(self) -> str:
        """Description of the data that it was fitted on; '' for a stated prior."""
        ...

    def right(self, seen: Seen) -> float:
        """Return the probability that the leading answer is right; 0 without an answer."""
        ...

    def after(self, seen: Seen, more: int) -> float:
        """Return the expectation of ``right`` once ``more`` further samples have arrived."""
        ...

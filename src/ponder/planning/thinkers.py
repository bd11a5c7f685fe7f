"""The votes of models that think by themselves: fitted to published samples, and shipped as data.

Such samples exist at one level of thinking for each model. So they tell how large a vote is best,
and when it ends, and not which level is. The command that fits and judges them is in
``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ponder.util.decoding import decode, parse


@dataclass(frozen=True, slots=True)
class Thinkers:
    """Votes by effort, and their origin."""

    made: str
    """The date."""
    models: tuple[str, ...]
    """Models that they were fitted to."""
    benchmarks: tuple[str, ...]
    """Benchmarks that they were fitted to."""
    problems: int
    """Number of problems that they were fitted to."""
    votes: Mapping[str, Mapping[str, Any]]
    """Knobs of ``self_consistency``, by effort."""

    @property
    def basis(self) -> str:
        """The data that they were fitted to, in words."""
        return (
            f"{len(self.models)} models on {', '.join(self.benchmarks)} ({self.problems} problems)"
        )


@cache
def shipped() -> Thinkers:
    """Return the fit in the package."""
    data = resources.files(__package__).joinpath("thinkers.json").read_bytes()
    found: Thinkers = decode(Thinkers, parse(data))
    return found

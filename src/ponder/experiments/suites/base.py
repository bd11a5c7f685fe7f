"""The parts of a suite: its rows, and the problem and the gold made from each.

A ``Problem`` is what inference may see; an ``Item`` also has the gold and never leaves
``experiments``. Rows are read from the data folder at each load, never copied.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType, Problem, Tests
from ponder.experiments.suites.grading.gold import Gold
from ponder.experiments.suites.rows import Row, read
from ponder.planning.wishes import spec

VARIABLE = "PONDER_DATA"


@dataclass(frozen=True, slots=True)
class Item:
    """One problem of a suite, with its gold."""

    problem_id: str
    problem: Problem
    gold: Gold
    level: str | int | None = None
    """Its difficulty in the suite."""


class Suite(Protocol):
    """A benchmark."""

    @property
    def name(self) -> str:
        """The name that the caller uses."""
        ...

    @property
    def summary(self) -> str:
        """One-line description."""
        ...

    @property
    def source(self) -> str:
        """Its publisher."""
        ...

    @property
    def licence(self) -> str:
        """Licence of the data."""
        ...

    @property
    def where(self) -> tuple[str, ...]:
        """Its files, relative to the data folder; empty if the rows are elsewhere."""
        ...

    @property
    def grading(self) -> str:
        """Description of the grading."""
        ...

    def load(self, folder: Path | None = None) -> Sequence[Item]:
        """Return all items, in the order of the file; the same ids every time.

        Raises:
            UsageError: there is no data folder, no such file in it, or a row is malformed.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileSuite:
    """A ``Suite`` whose rows are files of the data folder."""

    name: str
    summary: str
    source: str
    licence: str
    where: tuple[str, ...]
    grading: str
    rows: int
    """Number of rows."""
    item: Callable[[Row], Item]
    under: str = ""
    """Field of a JSON file that holds the rows."""
    first: int = 1
    """Position (from 1) of the first row that belongs to it."""
    last: int | None = None
    """Position of the last row that belongs to it; None is the last row of the file."""

    def part(self, name: str, summary: str, rows: int, *where: str) -> FileSuite:
        """Return a part of this suite: ``NAME/name``, of those files."""
        return replace(
            self, name=f"{self.name}/{name}", summary=summary, rows=rows, where=where or self.where
        )

    def load(self, folder: Path | None = None) -> list[Item]:
        """As ``Suite``."""
        folder = data_folder(folder)
        found = []
        for file in self.where:
            path = folder / file
            if not path.is_file():
                raise UsageError(
                    f"{folder} has no {file}, where the suite {self.name!r} has its rows: put it "
                    f"there (it is {self.source}'s), or name another folder with --data or "
                    f"{VARIABLE}."
                )
            chosen = list(read(path, self.under))[self.first - 1 : self.last]
            found += [self.item(row) for row in chosen]
        return found


def data_folder(given: Path | None = None) -> Path:
    """Return the folder of benchmark data: the one given, or PONDER_DATA.

    Raises:
        UsageError: neither is given, or the folder does not exist.
    """
    said = str(given) if given is not None else os.environ.get(VARIABLE, "")
    if not said:
        raise UsageError(
            f"no folder of benchmark data is known: name it with --data DIR, or set {VARIABLE}."
        )
    if not Path(said).is_dir():
        raise UsageError(
            f"there is no data folder {said}: name another with --data DIR, or set {VARIABLE}."
        )
    return Path(said)


def ask(
    question: str,
    answer_type: AnswerType,
    *,
    choices: Sequence[str] = (),
    tests: Tests | None = None,
) -> Problem:
    r"""Return a problem: the suite's own question, with the same instruction as ``ponder.solve``.

    No instruction is added if the question asks for a ``\boxed`` answer already.
    """
    made = spec(question, model="", answer_type=answer_type, choices=choices).problem
    return replace(made, tests=tests) if tests else made

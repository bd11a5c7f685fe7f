"""Any JSON Lines, JSON or CSV file as a suite, and any other rows, by a map of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ponder.core.errors import UnknownName, UsageError
from ponder.core.problem import ANSWER_TYPES, AnswerType
from ponder.experiments.suites.base import Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row, read
from ponder.planning.problems import labels

OPTIONS = ("question", "answer", "id", "level", "type", "choices")


@dataclass(frozen=True, slots=True)
class Columns:
    """The roles of a file's columns."""

    question: str = "question"
    answer: str = "answer"
    id: str = ""
    """Empty: the row's position."""
    level: str = ""
    """Empty: none."""
    type: AnswerType = "text"
    """Type of the answers."""
    choices: tuple[str, ...] = ()
    """The labels, for ``choice``."""

    def item(self, suite: str, row: Row) -> Item:
        """Return the item of a row."""
        name = row.text(self.id) if self.id else str(row.index)
        level = row[self.level] if self.level else None
        if level is not None and (isinstance(level, bool) or not isinstance(level, str | int)):
            raise row.refusal(self.level, "a text or a whole number")
        number = self.type == "number"
        answer = row.number(self.answer) if number else row.text(self.answer)
        return Item(
            f"{suite}/{name}",
            ask(row.text(self.question), self.type, choices=self.choices),
            Reference(answer, self.type),
            level,
        )


def columns(options: Mapping[str, str]) -> Columns:
    """Read ``question=Q, answer=A, id=ID, level=L, type=T, choices="A, B, C"``.

    Raises:
        UnknownName: an option or answer type does not exist.
        UsageError: there are fewer than two choices.
    """
    known = dict(options)
    for name in known:
        if name not in OPTIONS:
            raise UnknownName("option", name, OPTIONS)
    kind = known.pop("type", "text")
    types = [t for t in ANSWER_TYPES if t != "code"]
    if kind not in types:
        raise UnknownName("answer type", kind, types)
    choices = labels(known.pop("choices", ""))
    if "choices" in options and len(choices) < 2:
        raise UsageError(
            f'choices: expected labels between commas, such as choices="A, B, C", not '
            f"{options['choices']!r}."
        )
    return Columns(type=next(t for t in types if t == kind), choices=choices, **known)


def unique(suite: str, items: list[Item]) -> list[Item]:
    """Return the items, if no two have the same id.

    Raises:
        UsageError: two have.
    """
    seen: set[str] = set()
    for item in items:
        if item.problem_id in seen:
            raise UsageError(
                f"{suite} has two rows with the id {item.problem_id!r}: name another column with "
                "id=COLUMN, or none."
            )
        seen.add(item.problem_id)
    return items


@dataclass(frozen=True, slots=True)
class MappedFile:
    """A file as a suite. A relative path starts at the current directory."""

    path: Path
    map: Columns

    @property
    def name(self) -> str:
        """The file's name without its suffixes."""
        return self.path.name.split(".")[0]

    @property
    def summary(self) -> str:
        """One-line description."""
        return f"questions in {self.path}"

    @property
    def source(self) -> str:
        """The file."""
        return str(self.path)

    licence = "unknown"

    @property
    def where(self) -> tuple[str, ...]:
        """Empty: nothing is in the data folder."""
        return ()

    @property
    def grading(self) -> str:
        """Description of the grading."""
        return f"{self.map.type}, by meaning"

    def load(self, folder: Path | None = None) -> list[Item]:
        """As ``Suite``; the data folder does not matter."""
        if not self.path.exists():
            raise UsageError(f"there is no file {self.path}: give the path of a data set.")
        return unique(str(self.path), [self.map.item(self.name, row) for row in read(self.path)])

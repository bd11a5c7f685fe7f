"""Any task of reasoning-gym (Stojanovski 2025) as a suite: any number of fresh problems.

``gym(TASK, seed=7, size=200, OPTION=VALUE)``. The same seed and options give the same problems;
another seed gives problems that nobody has seen. The gold is the entry's own answer; where a task
accepts others too, its own scorer decides (``gym.full_score``).

The first entries of seed 0 decide, per task, whether answers are numbers, so that the form of a
question says nothing about its own answer.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.answers.numerals import plain_number
from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType
from ponder.experiments.suites.base import Item, ask
from ponder.experiments.suites.grading import gym
from ponder.experiments.suites.grading.gold import Scored

SIZE = 100
_LOOKED_AT = 8


@dataclass(frozen=True, slots=True)
class GymSuite:
    """One task with its options, ``seed`` and ``size`` among them."""

    task: str
    options: tuple[tuple[str, Any], ...]
    source = "open-thought/reasoning-gym"
    licence = "Apache-2.0"
    grading = "the task's own scorer"

    @property
    def name(self) -> str:
        """``gym/TASK``."""
        return f"gym/{self.task}"

    @property
    def summary(self) -> str:
        """One-line description."""
        return f"reasoning-gym's {self.task.replace('_', ' ')}, made afresh by seed"

    @property
    def where(self) -> tuple[str, ...]:
        """Empty: nothing is in the data folder."""
        return ()

    def load(self, folder: Path | None = None) -> list[Item]:
        """As ``Suite``; the data folder does not matter. Other errors as ``gym.create``."""
        rows = gym.create(self.task, dict(self.options))
        rest = {k: v for k, v in self.options if k not in ("seed", "size")}
        kind = _answer_type(gym.create(self.task, {**rest, "seed": 0, "size": _LOOKED_AT}))
        said = "".join(f",{k}={v}" for k, v in self.options if k != "size")
        return [
            Item(
                f"{self.name}/{said[1:]}/{index}",
                ask(str(rows[index]["question"]), kind),
                Scored(self.task, self.options, index, str(rows[index]["answer"]), kind),
            )
            for index in range(len(rows))
        ]


def _answer_type(rows: Any) -> AnswerType:
    answers = [str(rows[i]["answer"]) for i in range(len(rows))]
    return "number" if all(plain_number(a) is not None for a in answers) else "text"


def suite(task: str, options: Mapping[str, str]) -> GymSuite:
    """Return the suite that a caller names; values are Python literals, or else texts.

    Raises:
        UsageError: ``seed`` or ``size`` is not an integer.
    """
    values: dict[str, Any] = {"seed": 0, "size": SIZE}
    for name, text in options.items():
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values[name] = text
    for name, least in (("seed", 0), ("size", 1)):
        if type(values[name]) is not int or values[name] < least:
            raise UsageError(
                f"{name} must be a whole number, {least} or more, not {values[name]!r}."
            )
    return GymSuite(task, tuple(sorted(values.items())))

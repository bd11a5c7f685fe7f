"""Lessons in thinking from puzzles of numbers, by a search of our own: no model, no run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.learning.rows import questions
from ponder.learning.rows.exporting import line, write
from ponder.learning.rows.walks import lesson_row
from ponder.learning.thinking.bounds import Level
from ponder.learning.thinking.lessons import Lesson, of_puzzle, wrong

VERIFIER = "arithmetic"
SEARCH = "symbolic search"


@dataclass(frozen=True, slots=True)
class Puzzles:
    """Problems of one suite, to be searched."""

    suite: str
    problems: Sequence[tuple[str, Problem]]
    """Each with its ID."""
    levels: Sequence[Level]
    seed: int = 0
    """Seed of the searches in random order."""


@dataclass(slots=True)
class Taught:
    """The outcome."""

    rows: int = 0
    problems: int = 0
    """Number of problems with a row."""
    lengths: dict[Level, list[int]] = field(default_factory=dict)
    """Tokens of thinking of each lesson, by level."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Numbers of lessons that were left out, by reason."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ponder learn thinking --json`` prints."""
        return {
            "format": "thinking",
            "verifier": VERIFIER,
            "rows": self.rows,
            "problems": self.problems,
            "levels": {
                level: {"rows": len(found), "tokens": spread(found)}
                for level, found in self.lengths.items()
            },
            "left_out": {why: n for why, n in sorted(self.left_out.items()) if n},
        }


def spread(lengths: Iterable[int]) -> dict[str, int]:
    """Return the least, the median and the most of lengths, of which there is at least one."""
    found = sorted(lengths)
    return {"least": found[0], "median": found[len(found) // 2], "most": found[-1]}


def teach(asked: Puzzles, output: Path) -> Taught:
    """Write the lessons of a suite's puzzles, completely or not at all.

    Each lesson was checked: its answer as the verifier ``arithmetic`` does it, its steps one by
    one.

    Raises:
        UsageError: no row is left; nothing was written.
        PonderError: the disk refuses the write; what was there before is there still.
    """
    done = Taught()
    rows = []
    for problem_id, problem in asked.problems:
        known = done.rows
        for level in asked.levels:
            lesson = of_puzzle(problem, level, f"{asked.seed}:{problem_id}")
            if lesson is None:
                done.left_out["no puzzle of numbers that is solved with whole numbers"] += 1
            elif not lesson.fits:
                done.left_out[f"longer than {level} allows"] += 1
            elif fault := wrong(lesson, problem):
                done.left_out[fault] += 1
            else:
                rows.append(_row(asked, problem_id, problem, lesson))
                done.rows += 1
                done.lengths.setdefault(level, []).append(lesson.tokens)
        done.problems += done.rows > known
    if not rows:
        why = ", ".join(f"{n:,} {why}" for why, n in sorted(done.left_out.items()))
        raise UsageError(
            f"there is nothing to write: {asked.suite} gives no lesson ({why or 'no problems'}); "
            "take puzzles such as 'countdown/train(seed=7, n=500)'."
        )
    write({output: map(line, rows)})
    return done


def _row(asked: Puzzles, problem_id: str, problem: Problem, lesson: Lesson) -> dict[str, Any]:
    origin = {
        "source": asked.suite,
        "run": "",
        "sample": problem_id,
        "model": SEARCH,
        "strategy": "",
        "seed": asked.seed,
        "score": 1.0,
        "tokens": lesson.tokens,
    }
    return lesson_row(problem, lesson) | {
        "ponder": {
            "problem_id": problem_id,
            "problem_hash": questions.identity(problem),
            "question_hash": questions.side(problem),
            "verifier": VERIFIER,
            "chains": [origin],
            "thinking": lesson.level,
        }
    }

"""The problems of an environment, which its trainer may have from anybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError
from ponder.core.problem import ArithmeticTests, Message, Problem
from ponder.learning.environments import ABOUT, PROBLEMS, Environment
from ponder.learning.rows.questions import problem_to_text
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile, json_text, lines
from tests.support.fuzzing.places import file_of

PUZZLE = Problem((Message("user", "?"),), "math", tests=ArithmeticTests((1, 2, 3), "6"))
PROBLEM: Any = json.loads(problem_to_text(PUZZLE))


def _entry(problem: str) -> bytes:
    metadata = {"problem_id": "p", "prompt": [], "problem": problem}
    return json.dumps({"question": "?", "answer": "", "metadata": metadata}).encode()


PLAIN = _entry(json.dumps(PROBLEM))


def read(data: bytes) -> None:
    """Read the problems; nothing is scored."""
    with file_of(data, PROBLEMS) as path:
        Path(path.with_name(ABOUT)).write_text("{}")
        Environment.load(path.parent, "arithmetic")


READER = Reader(
    hostile(
        PLAIN,
        more=lines(
            json_text(json.loads(PLAIN)),
            json_text(PROBLEM).map(lambda text: _entry(text.decode(errors="replace"))),
        ),
    ),
    read,
    (PLAIN,),
    (PonderError,),
)

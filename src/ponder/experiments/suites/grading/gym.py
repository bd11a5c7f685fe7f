"""reasoning-gym, behind the extra ``gym``: its tasks, and its own verdict on an answer.

Many of its scorers hand the answer to ``eval`` (sympy's ``parse_expr``), so none is ever called in
this process: it runs in the sandbox of models' programs, at some two seconds per answer. Neither
the known answer, nor tasks that have no other right answer, need a scorer.
"""

from __future__ import annotations

import sys
import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any

from ponder.core.errors import MissingExtra, UnknownName, UsageError
from ponder.experiments.suites.grading.confined import Confined, Limits, RunCode
from ponder.experiments.suites.grading.gold import Scored
from ponder.sandbox.choice import Sandboxes

_LIBRARIES = tuple(path for path in sys.path if path.endswith("-packages"))
_LIMITS = Limits(20, 60.0, 4 * 2**30, processes=64, files=512)
_SCORE = """
import reasoning_gym
task = reasoning_gym.create_dataset(request["task"], **request["options"])
entry = task[request["index"]]
try:
    right = task.score_answer(request["answer"], entry) >= 1
except Exception:
    right = False
assert right
"""
_WRONG = ("AssertionError", "timeout", "no verdict", "MemoryError")


def create(task: str, options: dict[str, Any]) -> Any:
    """Return the data set of a task: ``len``, and ``[i]`` for question, answer and metadata.

    Raises:
        MissingExtra: reasoning-gym is not installed.
        UnknownName: it has no such task.
        UsageError: the task has no such option, or not of that value.
    """
    known = _tasks()
    if task not in known:
        raise UnknownName("reasoning-gym task", task, known)
    factory = import_module("reasoning_gym.factory")
    try:
        return factory.create_dataset(task, **options)
    except (TypeError, AssertionError, ValueError) as error:
        said = ", ".join(f"{k}={v}" for k, v in options.items())
        raise UsageError(
            f"reasoning-gym's task {task!r} does not take {said}: {error or 'out of range'}."
        ) from None


@lru_cache(1)
def _tasks() -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its and its dependencies' deprecations
            import_module("reasoning_gym")  # which fills the registry
    except ModuleNotFoundError as error:
        if error.name != "reasoning_gym":
            raise
        raise MissingExtra("gym", "a reasoning-gym task") from None
    return dict(import_module("reasoning_gym.factory").DATASETS)


def _has_own_scorer(task: str) -> bool:
    general = import_module("reasoning_gym.dataset").ProceduralDataset
    return bool(_tasks()[task][0].score_answer is not general.score_answer)


def confined(sandboxes: Sandboxes) -> RunCode:
    """Return the runner of the scorers."""
    return Confined(_LIMITS, _LIBRARIES, sandboxes=sandboxes)


async def full_score(gold: Scored, answer: str, run: RunCode) -> bool:
    """Return True if the task itself gives this answer the full score.

    Raises:
        MissingExtra: reasoning-gym is not installed.
        UsageError: there is no safe way to run the scorer here, or it did not run.
    """
    if gold.task not in _tasks() or not _has_own_scorer(gold.task):
        return False
    request = {
        "task": gold.task,
        "options": dict(gold.options),
        "index": gold.index,
        "answer": answer,
    }
    before = f"import sys; sys.path += {list(_LIBRARIES)!r}; request = {request!r}"
    said = await run([f"{before}\n{_SCORE}"])
    if not said.passed and said.why not in _WRONG:
        raise UsageError(
            f"reasoning-gym's scorer of {gold.task!r} did not run where programs are confined "
            f"({said.why}): install it where every user may read it."
        )
    return said.passed

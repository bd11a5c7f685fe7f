"""Grades evaluations: after the runs, as often as needed, each distinct answer once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from ponder.core.errors import UsageError
from ponder.experiments.evals.store import Store
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading.confined import RunCode
from ponder.experiments.suites.grading.grade import grade
from ponder.util.bounded import bounded
from ponder.verifiers.base import Tools


async def grade_outcomes(
    store: Store,
    configurations: Sequence[str],
    items: Iterable[Item],
    *,
    anew: bool = False,
    run: RunCode | None = None,
    tools: Tools | None = None,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> str:
    """Grade what is not graded yet, or with ``anew`` everything: each distinct answer once.

    ``run`` and ``tools`` are as for ``grade``; ``tell`` gets (answers graded, answers to grade).
    Returns why some answers could not be graded (programs, where there is no safe way to run
    them), or ''.
    """
    golds = {item.problem_id: item.gold for item in items}
    held = [outcome for name in configurations for outcome in store.outcomes(name)]
    asked = dict.fromkeys(
        (outcome.problem_id, outcome.answer)
        for outcome in held
        if outcome.problem_id in golds and outcome.state != "open"
        if anew or outcome.correct is None
    )
    tools = tools or Tools()
    done, refused = 0, dict[type, str]()

    async def one(pair: tuple[str, str | None]) -> None:
        nonlocal done
        problem, answer = pair
        gold = golds[problem]
        if type(gold) in refused:
            return
        try:
            right = await grade(gold, answer, run=run, tools=tools)
        except UsageError as error:
            refused[type(gold)] = str(error)
            return
        store.grade(configurations, problem, answer, right)
        done += 1
        tell(done, len(asked))

    await bounded(one, asked, os.cpu_count() or 1)
    return " ".join(refused.values())

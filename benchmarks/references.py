"""How many reference solutions of HumanEval and MBPP pass the public tests, by sandbox.

    PONDER_DATA=path/to/data python benchmarks/references.py

What passes in the first sandbox is put to the second, which cannot run every program: then
``execution`` abstains, and a right program that it calls wrong is a fault of the sandbox.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Literal

from ponder.core.problem import AssertTests
from ponder.experiments.suites.base import data_folder
from ponder.experiments.suites.registry import SUITES
from ponder.experiments.suites.rows import read
from ponder.sandbox.base import Sandbox
from ponder.verifiers.execution.verifier import run
from sandbox import present  # beside this file

SOLUTION = {"humaneval": "canonical_solution", "mbpp": "code"}
Verdict = Literal["pass", "abstain", "fail"]


def references(suite: str) -> dict[str, tuple[str, AssertTests]]:
    """By problem, of those that have public tests: the solution and the tests."""
    found = {}
    items = SUITES[suite].load()
    rows = [row for file in SUITES[suite].where for row in read(data_folder() / file)]
    for item, row in zip(items, rows, strict=True):
        tests = item.problem.tests
        if isinstance(tests, AssertTests):
            before = row.text("prompt") if suite == "humaneval" else ""
            found[item.problem_id] = (before + row.text(SOLUTION[suite]), tests)
    return found


async def verdicts(where: Sandbox, asked: dict[str, tuple[str, AssertTests]]) -> list[Verdict]:
    async def one(answer: str, tests: AssertTests) -> Verdict:
        outcomes = await run(answer, tests, where)
        if any(outcome.verdict == "unsupported" for outcome in outcomes):
            return "abstain"
        return "pass" if outcomes and all(o.passed for o in outcomes) else "fail"

    return await asyncio.gather(*(one(*given) for given in asked.values()))


def main() -> None:
    asked = {key: value for suite in SOLUTION for key, value in references(suite).items()}
    by_suite = Counter(key.partition("/")[0] for key in asked)
    print(", ".join(f"{suite} {n}" for suite, n in by_suite.items()))
    for where in present():
        said = dict(zip(asked, asyncio.run(verdicts(where, asked)), strict=True))
        counts = Counter(said.values())
        print(
            f"{where.name}: {len(said)} references, "
            + ", ".join(f"{counts[name]} {name}" for name in ("pass", "abstain", "fail"))
        )
        asked = {key: asked[key] for key, verdict in said.items() if verdict == "pass"}


if __name__ == "__main__":
    main()

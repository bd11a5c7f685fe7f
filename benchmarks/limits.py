"""Budgets with every strategy of texts: random runs over the simulated world, which thinks within
the completion, beside it, or not at all. No run may pass its limit, and every run has an answer
whose budget allows one: a prompt and a forced answer without thinking, four samples with it.

    python benchmarks/limits.py [--runs 10000]

No model is asked. Prints the number of runs, of limits passed and of answers missing; the exit code
is 1 if there are any.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from typing import Any

import ponder
from ponder.core.errors import BudgetTooSmall
from ponder.models.fakes.simulated import Simulated
from ponder.strategies.registry import STRATEGIES as ALL

STRATEGIES = [name for name in ALL if name != "program"]
"""All but that of programs, which the simulated model does not write."""
ANSWER = 106
"""Tokens of the prompt (17), of the words that force an answer (41 at most) and of the answer (48
at most).
"""


async def one(rng: random.Random, engine: ponder.Engine) -> tuple[bool, bool, bool]:
    """Return whether a run was made, its limit passed, and its answer missing."""
    thinking, length = rng.choice([0, rng.randint(1, 300)]), rng.randint(1, 200)
    beside = rng.choice([0, 0, 50, 300]) if thinking else 0
    model = Simulated(thinking=thinking, beside=beside, length=length)
    tokens, most = rng.randint(20, 3_000), rng.randint(1, 400)
    asked: dict[str, Any] = {"length": most}
    if thinking:
        asked["thinking"] = rng.choice(["low", "auto", 40, 200])
    try:
        result = await ponder.asolve(
            "How many is six times seven?",
            model=model,
            strategy=rng.choice(STRATEGIES),
            knobs=asked,
            budget=ponder.Budget(tokens=tokens),
            seed=rng.randrange(2**31),
            journal=False,
            engine=engine,
        )
    except BudgetTooSmall:
        return False, False, False
    passed = result.receipt.total.cost.tokens > tokens or result.stopped_by == "overcharged"
    enough = tokens >= (4 * (ANSWER + most + beside) + 400 if thinking else ANSWER)
    return True, passed, enough and result.answer is None


async def measure(runs: int) -> tuple[int, int, int]:
    rng, made, passed, missing = random.Random(0), 0, 0, 0
    async with ponder.Engine() as engine:
        for _ in range(runs):
            done, over, silent = await one(rng, engine)
            made, passed, missing = made + done, passed + over, missing + silent
    return made, passed, missing


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    began = time.perf_counter()
    made, passed, missing = asyncio.run(measure(runs))
    print(
        f"{runs:,} random runs, {runs - made:,} of them refused before they began: {passed:,} "
        f"limits passed, {missing:,} answers missing, {time.perf_counter() - began:.0f} s"
    )
    return 1 if passed or missing else 0


if __name__ == "__main__":
    sys.exit(main())

"""A small honest slice: does voting help a small model on GSM8K, and what does it cost?

    python benchmarks/gsm8k_slice.py --data ../shared/data [--limit 100] [--model NAME]

The first problems of the test set, the same seed. ``direct`` takes one sample, once greedily and
once at the temperature at which ``self_consistency`` draws its eight; nothing was tuned. The gold
answers are read here, after the run, and by nobody else. Intervals are 95 %: Wilson for an
accuracy, a paired bootstrap over problems (10,000 draws, seed 0) for a difference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ponder
from ponder.answers.equivalence import equivalent
from ponder.answers.mathworker import MathWorker
from ponder.experiments.stats.intervals import wilson
from ponder.models import config
from ponder.models.base import Model
from ponder.models.opening import Teller, open_model

LENGTH = 512
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "direct, greedy": {"strategy": "direct", "knobs": {"temperature": 0.0}},
    "direct, T = 0.8": {"strategy": "direct", "knobs": {"temperature": 0.8}},
    "self_consistency, N = 8": {"strategy": "self_consistency", "knobs": {"n": 8}},
}


@dataclass(frozen=True)
class Row:
    right: list[bool]
    prompt_tokens: int
    completion_tokens: int
    wasted_tokens: int
    samples: int
    seconds: float


async def run(
    model: Model, problems: list[dict[str, str]], options: dict[str, Any], at_once: int
) -> Row:
    slots, worker = asyncio.Semaphore(at_once), MathWorker()
    knobs = {"length": LENGTH, **options["knobs"]}

    async def one(problem: dict[str, str]) -> tuple[bool, ponder.Result]:
        async with slots:
            result = await ponder.asolve(
                problem["question"],
                model=model,
                strategy=options["strategy"],
                knobs=knobs,
                answer_type="number",
                journal=False,
            )
        gold = problem["answer"].rpartition("####")[2].strip()
        given = result.answer
        return given is not None and await equivalent(gold, given, "number", worker), result

    began = time.monotonic()
    graded = await asyncio.gather(*(one(problem) for problem in problems))
    seconds = time.monotonic() - began
    worker.close()
    totals = [result.receipt.total for _, result in graded]
    return Row(
        [right for right, _ in graded],
        sum(t.prompt_tokens for t in totals),
        sum(t.completion_tokens for t in totals),
        sum(t.wasted_tokens for t in totals),
        sum(t.calls for t in totals),
        seconds,
    )


def difference(a: list[bool], b: list[bool], draws: int = 10_000) -> tuple[float, float, float]:
    rng, n = random.Random(0), len(a)
    gaps = [int(y) - int(x) for x, y in zip(a, b, strict=True)]
    means = sorted(sum(rng.choices(gaps, k=n)) / n for _ in range(draws))
    return sum(gaps) / n, means[int(0.025 * draws)], means[int(0.975 * draws) - 1]


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds gsm8k/")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--at-once", type=int, default=8, help="problems in flight")
    chosen = parser.parse_args()
    lines = (chosen.data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    problems = [json.loads(line) for line in lines[: chosen.limit]]
    opened = await open_model(chosen.model, config.load(), Teller())
    print(f"ponder {ponder.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(f"{chosen.model}, the first {len(problems)} problems of GSM8K's test set, seed 0,")
    print(f"at most {LENGTH} tokens a sample\n")
    print("| | right | accuracy (95 %) | samples | prompt tokens | completion | wasted | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    rows: dict[str, Row] = {}
    for name, options in CONFIGURATIONS.items():
        at_once = 32 if options["strategy"] == "direct" else chosen.at_once
        row = rows[name] = await run(opened.model, problems, options, at_once)
        right, n = sum(row.right), len(row.right)
        low, high = wilson(right, n)
        print(
            f"| {name} | {right}/{n} | {right / n:.2f} ({low:.2f} to {high:.2f}) | {row.samples} | "
            f"{row.prompt_tokens:,} | {row.completion_tokens:,} | {row.wasted_tokens:,} | "
            f"{row.seconds:.0f} |",
            flush=True,
        )
    *direct, voting = rows
    print()
    for name in direct:
        gap, low, high = difference(rows[name].right, rows[voting].right)
        print(f"{voting} minus {name}: {gap:+.2f} ({low:+.2f} to {high:+.2f}), paired")
    await opened.model.close()


if __name__ == "__main__":
    asyncio.run(main())

"""Policy gradients on a toy task: the curve of the reward, with its interval over three seeds.

    python benchmarks/grpo.py run runs/grpo --steps 60         # goes on where it ended
    python benchmarks/grpo.py report runs/grpo/curve.jsonl

The task: name a whole number from 50 to 99, of which the questions say nothing: three examples show
smaller ones. The verifier is ``regex``, so the reward of a completion is 1 or 0. Each seed is a run
of ``ponder learn grpo`` in a folder of its own; after each step a line is appended to
``curve.jsonl``.

A window of the report is a tenth of the steps: the mean over the seeds of each seed's mean reward
in it, with the 95 % interval of Student's t over the seeds; and so the rise from the first to
the last window, paired by seed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponder.core.problem import Message, Problem
from ponder.experiments.suites.base import ask
from ponder.learning.grpo import learning
from ponder.learning.grpo.crew import crew
from ponder.learning.grpo.settings import Settings
from ponder.learning.grpo.training import Step
from ponder.learning.rewards import Rewards
from ponder.models import catalog

VERIFIER = 'regex("^[5-9][0-9]$")'
EXAMPLES = {"a whole number": 12, "the number of a bus": 31, "a number that you like": 7}
QUESTIONS = tuple(
    f"Name {what}."
    for what in (
        "some number", "the number of a house", "a number for a football shirt", "a temperature",
        "someone's age in years", "a price in dollars", "the number of a page", "a lucky number",
        "the number of a seat", "a speed in miles per hour", "a number of guests", "a weight",
    )
)  # fmt: skip
T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t for a two-sided 95 % interval, by number of seeds."""


def problems() -> list[Problem]:
    """Return the questions, each after the examples."""
    shown = [
        message
        for what, number in EXAMPLES.items()
        for message in (
            Message("user", f"Name {what}."),
            Message("assistant", f"\\boxed{{{number}}}"),
        )
    ]
    asked = [ask(question, "number") for question in QUESTIONS]
    return [replace(problem, examples=tuple(shown), instruction="") for problem in asked]


def run(folder: Path, model: str, seeds: int, settings: dict[str, Any]) -> None:
    """Train once with each seed, and append each step to the curve."""
    folder.mkdir(parents=True, exist_ok=True)
    path, curve = catalog.pull(catalog.find(model)), folder / "curve.jsonl"
    for seed in range(seeds):
        known = {(row["seed"], row["step"]) for row in rows(curve)}
        asked = learning.Run(
            f"{model}+range{seed}", model, path, folder / f"seed-{seed}", "range", problems(),
            VERIFIER, Settings(seed=seed, **settings),
        )  # fmt: skip
        began = time.perf_counter()

        def report(step: Step, before: int, seed: int = seed, known: Any = known) -> None:
            nonlocal began
            now = time.perf_counter()
            line = {"seed": seed, "seconds": round(now - began, 2), **step.to_json()}
            began = now
            print(f"seed {seed}, step {step.step}: reward {step.reward}, "
                  f"{line['seconds']} s", flush=True)  # fmt: skip
            if (seed, step.step) not in known:
                with curve.open("a") as file:
                    file.write(json.dumps(line) + "\n")

        with Rewards(VERIFIER) as rewards:
            learning.learn(asked, rewards.scores, crew=crew(), report=report)
    print_report(curve)


def rows(curve: Path) -> list[dict[str, Any]]:
    """Return the lines of the curve; a last one that is not complete is none."""
    if not curve.exists():
        return []
    return [json.loads(line) for line in curve.read_text().split("\n")[:-1]]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean, and half the width of its 95 % interval; nan for one value."""
    if len(values) < 2:
        return values[0], math.nan
    half = T95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), half


def print_report(curve: Path) -> None:
    """Print the curve by tenths, and the rise."""
    found: dict[int, dict[int, float]] = defaultdict(dict)
    lines = rows(curve)
    for row in lines:
        if row["reward"] is not None:
            found[row["seed"]][row["step"]] = row["reward"]
    steps = min(max(by_step) for by_step in found.values())
    size = max(1, steps // 10)
    windows = [range(start, start + size) for start in range(1, steps - size + 2, size)]
    means = [
        [statistics.fmean(by_step[step] for step in window if step in by_step)
         for by_step in found.values()]
        for window in windows
    ]  # fmt: skip
    print(f"{len(found)} seeds, {steps} steps; a step takes "
          f"{statistics.median(row['seconds'] for row in lines):.1f} s (median)")  # fmt: skip
    for window, values in zip(windows, means, strict=True):
        mean, half = interval(values)
        each = " ".join(f"{value:.3f}" for value in values)
        print(f"steps {window.start:3} to {window.stop - 1:3}: {mean:.3f} +- {half:.3f}  ({each})")
    mean, half = interval([last - first for first, last in zip(means[0], means[-1], strict=True)])
    print(f"rise: {mean:.3f} +- {half:.3f}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("--model", default="smollm2-135m")
    running.add_argument("--seeds", type=int, default=3, choices=range(1, 6))
    running.add_argument("--steps", type=int, default=60)
    running.add_argument("--prompts", type=int, default=4)
    running.add_argument("--group", type=int, default=8)
    running.add_argument("--max-tokens", type=int, default=16)
    running.add_argument("--refresh", type=int, default=2)
    running.add_argument("--rate", type=float, default=2e-4)
    reporting = commands.add_parser("report")
    reporting.add_argument("curve", type=Path)
    given = vars(parser.parse_args())
    if given.pop("command") == "report":
        print_report(given["curve"])
    else:
        run(given.pop("folder"), given.pop("model"), given.pop("seeds"), given)


if __name__ == "__main__":
    main()

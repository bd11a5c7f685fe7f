"""``aggregate`` on the embedded engine: does the model write better solutions when it sees others?

    python benchmarks/aggregate.py record RUNS --data DIR [--model qwen2.5-coder-0.5b]
    python benchmarks/aggregate.py score RUNS --pool docs/results/gsm8k-0.5b.jsonl

``record`` runs the strategy on the first 30 problems of GSM8K's test set, four chains and two
rounds that show two of them at once, and appends each population, graded, to RUNS as a line of JSON
with the FLOPs of the run up to there. Stopped at any moment, it goes on with the problem that it
was at. ``score`` needs no model: the vote of each population against votes of the model's samples
in POOL for the same problems: the smallest that costs at least as many FLOPs, or the largest that
there is. Differences are paired, with 95 % intervals over problems.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import ponder
from cascade import interval
from ponder import Engine
from ponder.core.record.events import Event, SampleFinished, SampleStarted, Spent
from ponder.core.trace import Trace
from ponder.experiments.evals.configurations import problem_seed
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.samples import Sample
from ponder.experiments.suites import gsm8k
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading.grade import grade
from ponder.models.base import Shape

KNOBS = {"n": 4, "k": 2, "rounds": 2, "length": 512}
PROBLEMS = 30
AT_ONCE = 8
SUBSETS = 500
"""Subsets of a problem's samples that are drawn for a fixed vote."""


class Populations:
    """The populations of one run, from its events: one begins when no chain is being written."""

    def __init__(self) -> None:
        self.traces: list[list[Trace]] = []
        self.flops: list[int] = []
        """FLOPs of the run up to the end of each population."""
        self._writing = 0

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, SampleStarted):
            if not self._writing:
                self.traces.append([])
                self.flops.append(0)
            self._writing += 1
        elif isinstance(event, SampleFinished):
            self._writing -= 1
            self.traces[-1].append(event.trace)
        elif isinstance(event, Spent):
            self.flops[-1] = event.total.flops


def lacking(path: Path, problems: Sequence[Item]) -> list[Item]:
    """Return the problems that the file lacks."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    have = {json.loads(line)["problem"] for line in lines}
    return [item for item in problems if item.problem_id not in have]


async def record(path: Path, model: str, problems: Sequence[Item]) -> None:
    """Run the strategy on each problem."""
    waiting = iter(problems)
    async with Engine() as engine:

        async def work() -> None:
            for item in waiting:
                seen = Populations()
                await ponder.asolve(
                    item.problem, model=model, strategy="aggregate", knobs=KNOBS,
                    seed=problem_seed(0, item.problem_id), journal=False, engine=engine,
                    on_event=seen,
                )  # fmt: skip
                crowds = [
                    [
                        [
                            trace.answer.key if trace.answer else None,
                            await grade(
                                item.gold,
                                trace.answer.text if trace.answer else None,
                                tools=engine.tools,
                            ),
                            trace.tokens,
                        ]
                        for trace in crowd
                    ]
                    for crowd in seen.traces
                ]
                line = {"problem": item.problem_id, "flops": seen.flops, "populations": crowds}
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


# Scoring ------------------------------------------------------------------------------------------


def won(votes: Sequence[tuple[str | None, bool]]) -> bool:
    """Return True if the answer with the most votes is right; the first of equals leads."""
    counts = Counter(key for key, _ in votes if key is not None)
    leader = next(iter(counts.most_common(1)), (None, 0))[0]
    return leader is not None and any(right for key, right in votes if key == leader)


def fixed(samples: Sequence[Sample], n: int, shape: Shape) -> tuple[float, float]:
    """Return the accuracy of a vote of n samples, and its FLOPs: it evaluates the prompt once."""
    rng = np.random.default_rng(n)
    ballots = [(sample.key or sample.answer, bool(sample.correct)) for sample in samples]
    right = np.mean(
        [won([ballots[i] for i in rng.permutation(len(samples))[:n]]) for _ in range(SUBSETS)]
    )
    prompt = int(samples[0].prompt_tokens or 0)
    each = np.mean([shape.flops(prompt, prompt, int(sample.tokens or 0)) for sample in samples])
    return float(right), shape.flops(prompt, 0, 0) + n * float(each)


def score(path: Path, pool: Path) -> None:
    """Print the table."""
    runs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    recorded = Pool(pool)
    rest = recorded.header.rest
    shape = Shape(rest["parameters"], rest["attention"])
    entries = {entry.problem_id: entry.samples for entry in recorded}
    runs = [run for run in runs if run["problem"] in entries]
    most = min(len(entries[run["problem"]]) for run in runs)
    votes = {
        n: np.array([fixed(entries[run["problem"]], n, shape) for run in runs])
        for n in range(1, most + 1)
    }
    print(f"{len(runs)} problems, votes of up to {most} samples of {pool.name}\n")
    head = ("", "right", "one of its chains", "FLOPs", "against", "right", "FLOPs",
            "difference (95 %)")  # fmt: skip
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for place in range(KNOBS["rounds"] + 1):
        crowds = [[(key, right) for key, right, _ in run["populations"][place]] for run in runs]
        mine = np.array([won(crowd) for crowd in crowds], float)
        single = np.mean([right for crowd in crowds for _, right in crowd])
        spent = np.mean([run["flops"][place] for run in runs])
        n = next((n for n, vote in votes.items() if vote[:, 1].mean() >= spent), most)
        other = votes[n]
        low, high = interval(mine - other[:, 0])
        name = f"after {place} round{'s' * (place != 1)}" if place else "the first population"
        gap = f"{100 * (mine - other[:, 0]).mean():+.1f} ({low:+.1f} to {high:+.1f})"
        cells = (name, f"{mine.mean():.3f}", f"{single:.3f}", f"{spent:.2e}", f"vote of {n}",
                 f"{other[:, 0].mean():.3f}", f"{other[:, 1].mean():.2e}", gap)  # fmt: skip
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("record", "score"))
    parser.add_argument("runs", type=Path, metavar="RUNS")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--data", type=Path, help="folder that holds gsm8k/")
    parser.add_argument("--pool", type=Path, help="samples of the same model and problems")
    parser.add_argument("--limit", type=int, default=PROBLEMS, help="only the first problems")
    chosen = parser.parse_args()
    if chosen.what == "score":
        score(chosen.runs, chosen.pool)
        return
    problems = list(gsm8k.SUITE.load(chosen.data))[: chosen.limit]
    wanted = lacking(chosen.runs, problems)
    asyncio.run(record(chosen.runs, chosen.model, wanted))


if __name__ == "__main__":
    main()

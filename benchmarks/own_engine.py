"""Effort ``auto`` on the embedded engine: 0.5B, escalating to 1.5B, against every fixed plan.

    python benchmarks/own_engine.py record POOL --model qwen2.5-coder-0.5b --data DIR
    python benchmarks/own_engine.py score --small POOL... --large POOL... [--fit FILE]
    python benchmarks/own_engine.py ways POOL [--model qwen2.5-coder-0.5b]

``record`` draws n texts for each of 40 problems of SVAMP, of MultiArith and of MATH-500's levels 1
to 3, and appends each sample, graded, to POOL as a line of JSON. Stopped at any moment, it goes on
where it was when it is started again. For 100 problems of GSM8K samples lie in ``docs/results``.

``score`` needs no model. The strategy runs as it is, in a run of its own for each problem, order of
the samples and worth; its models are the recorded samples, each given once. A fixed plan is a model
and a vote of so many random samples, as many as there are for every problem. FLOPs are those of
the generated tokens, and of one prompt for each model that is asked. Only problems that both models
have samples for count. Differences are paired by problem, with 95 % intervals over problems. The
fit is the one that ships, or FILE, as ``cascade.py --fit`` writes it.

``ways`` does the same with texts and programs of one model, which ``programs.py`` has recorded, as
two rungs, and compares ``auto`` on both with ``auto`` on texts alone, at the same worths.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aggregate import won
from cascade import Curve, Plan, interval
from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.errors import ModelError
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.worth import Worth
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.samples import Sample
from ponder.experiments.suites import math500, multiarith, svamp
from ponder.experiments.suites.base import Item
from ponder.models.base import Completion, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import Scripted
from ponder.models.opening import Opened
from ponder.planning.climbing import Climbs, from_json, shipped
from ponder.runtime.job import Job
from ponder.runtime.runner import Runner
from ponder.strategies import registry
from programs import PROGRAM, TEXT, mixed, read, record

EACH = 40
"""Problems of each suite."""
TEMPERATURE = 0.8
"""That of effort ``auto``, and of the samples in ``docs/results``."""


def items(data: Path) -> list[Item]:
    """Return the problems of all suites, mixed, so that a part of a recording has some of each."""
    words = [list(suite.load(data)) for suite in (svamp.SUITE, multiarith.SUITE)]
    easy = [item for item in math500.SUITE.load(data) if item.level in (1, 2, 3)]
    return mixed(*(part[:: len(part) // EACH][:EACH] for part in words), easy[:EACH])


# Scoring ------------------------------------------------------------------------------------------

SHAPES = {
    "qwen2.5-coder-0.5b": Shape(494_032_768, 21_504),
    "qwen2.5-coder-1.5b": Shape(1_543_714_304, 43_008),
}
"""The models' sizes, as the pools in ``docs/results`` have them."""
WORTHS = (1e12, 3e12, 1e13, 3e13, 1e14, 3e14)
"""Worth of a right answer in FLOPs; a sample of the small model takes about 3e11."""
MOST = 16
LEAST = 4
"""Fewest samples of a problem that counts."""
DRAWS = 200
"""Random subsets for a fixed vote."""


@dataclass(frozen=True)
class Deck:
    """Samples of one rung."""

    name: str
    shape: Shape
    samples: Mapping[str, Sequence[Sample]]
    """By problem."""


def load(paths: Sequence[Path], kind: str = TEXT) -> dict[str, list[Sample]]:
    """Read pools, and recordings of this script or of ``programs.py``, of which one kind."""
    found: dict[str, list[Sample]] = {}
    for path in paths:
        with path.open(encoding="utf-8") as file:
            pool = "pool" in json.loads(file.readline())
        if pool:
            found |= {entry.problem_id: list(entry.samples) for entry in Pool(path)}
            continue
        for one in read(path):
            if one.kind == kind:
                prompt = one.prompt_tokens / one.calls
                sample = Sample(one.answer, one.correct, tokens=one.completion_tokens,
                                prompt_tokens=prompt, key=one.key)  # fmt: skip
                found.setdefault(one.problem, []).append(sample)
    return found


def key(sample: Sample) -> str | None:
    """Return what the sample's answer means."""
    return sample.key or sample.answer


def flops(samples: Sequence[Sample], shape: Shape) -> int:
    """Return the FLOPs of samples that share a prompt."""
    if not samples:
        return 0
    prompt = round(samples[0].prompt_tokens or 0)
    rest = sum(shape.flops(prompt, prompt, round(sample.tokens or 0)) for sample in samples)
    return shape.flops(prompt, 0, 0) + rest


class Recorded(Scripted):
    """A model that gives recorded samples, each once, in a random order."""

    def __init__(self, deck: Deck, problem: str, rng: random.Random) -> None:
        samples = deck.samples[problem]
        pile = rng.sample(samples, len(samples))
        self.shape = deck.shape
        self.given: list[Sample] = []

        def reply(request: Request) -> Completion | ModelError:
            if not pile:
                return ModelError("there are no more samples")
            sample = pile.pop()
            self.given.append(sample)
            prompt = round(sample.prompt_tokens or 0)
            cached = prompt if len(self.given) > 1 else 0
            return Completion(key(sample) or "", "stop", prompt, round(sample.tokens or 0), cached)

        super().__init__(reply, info=ModelInfo(deck.name, frozenset(), self.shape, local=True))


async def as_written(text: str, problem: Problem, truncated: bool) -> Answer | None:
    """Return the whole text as the answer."""
    return Answer(text, text) if text else None


@dataclass(frozen=True)
class Cascade:
    """The strategy with its knobs, and what it is told."""

    decks: Sequence[Deck]
    """The rungs, from cheap to dear, each as a model of its own."""
    worth: float
    climbs: Climbs

    async def run(self, problem: str, rng: random.Random) -> Curve:
        """Return what it reaches on one problem, once."""
        models = [Recorded(deck, problem, rng) for deck in self.decks]
        first, *others = models
        rows = [deck.samples[problem] for deck in self.decks]
        # Prices are estimated by the prompt's bytes.
        prompt = "x" * (4 * round(rows[0][0].prompt_tokens or 0))
        further = ", ".join(deck.name for deck in self.decks[1:])
        chosen = registry.choose("auto", {"escalate": further, "n": MOST})
        kind = "math" if problem.startswith("math500") else "number"
        job = Job(
            Problem((Message("user", prompt),)), chosen, "auto", chosen.values, Sampling(512),
            Budget(), 0, first, as_written, worth=Worth(self.worth, "flops"),
            others={one.info.name: Opened(one) for one in others},
            outlook=self.climbs.climb(kind),
        )  # fmt: skip
        result = await Runner(job).go()
        good = {key(sample) for row in rows for sample in row if sample.correct}
        return Curve(result.answer in good, sum(flops(one.given, one.shape) for one in models))

    async def curve(self, problems: Sequence[str], repeats: int) -> Curve:
        """Return its curve over the problems, each in some random orders of its samples."""
        rng = random.Random(1)
        rights, costs = [], []
        for problem in problems:
            runs = [await self.run(problem, rng) for _ in range(repeats)]
            rights.append(np.mean([run.right for run in runs]))
            costs.append(np.mean([run.tflops for run in runs]))
        return Curve(np.array(rights), np.array(costs) / 1e12)


def fixed(deck: Deck, problems: Sequence[str], votes: int) -> Plan:
    """Return a vote of random samples of one rung."""
    rng = random.Random(votes)
    rights, costs = [], []
    for problem in problems:
        drawn = [rng.sample(deck.samples[problem], votes) for _ in range(DRAWS)]
        rights.append(np.mean([won([(key(s), bool(s.correct)) for s in some]) for some in drawn]))
        costs.append(np.mean([flops(some, deck.shape) for some in drawn]) / 1e12)
    return Plan(f"{deck.name} x {votes}", Curve(np.array(rights), np.array(costs)))


def compare(
    title: str, decks: Sequence[Deck], problems: Sequence[str], climbs: Climbs, repeats: int
) -> None:
    """Print the table of some problems: ``auto`` on all decks, and on each alone."""
    plans = [
        fixed(deck, problems, votes)
        for deck in decks
        for votes in range(1, min(MOST, *(len(deck.samples[p]) for p in problems)) + 1)
    ]
    print(f"\n## {title}, {len(problems)} problems\n")
    for plan in plans:
        if plan.name.rpartition(" ")[2] in ("1", "2", "4", "8", "16"):
            print(f"- {plan.name}: {100 * plan.right:.1f} %, {plan.tflops:.2f} TFLOPs")
    head = ("auto on", "worth", "TFLOPs", "right", "best fixed plan for no more",
            "difference (95 %)", "cheapest fixed plan as good",
            "against the first alone")  # fmt: skip
    print(f"\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    alone: dict[float, Curve] = {}
    for some in (decks[:1], decks, *([one] for one in decks[1:])):
        for worth in WORTHS:
            curve = asyncio.run(Cascade(some, worth, climbs).curve(problems, repeats))
            one = alone.setdefault(worth, curve)
            low, high = interval(curve.right - one.right)
            gap = f"{100 * (curve.right - one.right).mean():+.1f} ({low:+.1f} to {high:+.1f})"
            gap += f" for {curve.tflops.mean() / one.tflops.mean():.2f} of its FLOPs"
            name = ", then ".join(deck.name for deck in some)
            cells = (name, f"{worth / 1e12:,.0f}", *figures(curve, plans), gap)
            print(f"| {' | '.join(cells)} |", flush=True)


def figures(curve: Curve, plans: Sequence[Plan]) -> tuple[str, ...]:
    """Return the cells on a curve: its cost and accuracy, and the fixed plans beside it."""
    spent, right = float(curve.tflops.mean()), float(curve.right.mean())
    within = [plan for plan in plans if plan.tflops <= spent]
    best = max(within, key=lambda plan: plan.right, default=min(plans, key=lambda p: p.tflops))
    low, high = interval(curve.right - best.curve.right)
    equals = [plan for plan in plans if plan.right >= right]
    cheapest = min(equals, key=lambda plan: plan.tflops, default=None)
    other = f"{cheapest.name}, {spent / cheapest.tflops:.2f} of its FLOPs" if cheapest else "none"
    return (
        f"{spent:.2f}", f"{100 * right:.1f} %", f"{best.name}, {100 * best.right:.1f} %",
        f"{100 * (right - best.right):+.1f} ({low:+.1f} to {high:+.1f})", other,
    )  # fmt: skip


def score(decks: Sequence[Deck], climbs: Climbs, repeats: int) -> None:
    """Print the tables: each suite, and all problems."""
    both = [
        problem
        for problem in decks[0].samples
        if all(len(deck.samples.get(problem, ())) >= LEAST for deck in decks)
    ]
    suites = list(dict.fromkeys(problem.partition("/")[0] for problem in both))
    for suite in suites:
        some = [problem for problem in both if problem.startswith(suite + "/")]
        compare(suite, decks, some, climbs, repeats)
    if len(suites) > 1:
        compare("all", decks, both, climbs, repeats)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    recording = what.add_parser("record")
    recording.add_argument("pool", type=Path, metavar="POOL")
    recording.add_argument("--model", choices=list(SHAPES), default=next(iter(SHAPES)))
    recording.add_argument("--data", type=Path, required=True, help="folder of benchmark data")
    recording.add_argument("--n", type=int, default=4, help="samples of each problem")
    recording.add_argument("--limit", type=int, help="only the first problems")
    scoring = what.add_parser("score")
    scoring.add_argument("--small", type=Path, nargs="+", required=True, metavar="POOL")
    scoring.add_argument("--large", type=Path, nargs="+", required=True, metavar="POOL")
    ways = what.add_parser("ways")
    ways.add_argument("pool", type=Path, metavar="POOL")
    ways.add_argument("--model", choices=list(SHAPES), default=next(iter(SHAPES)))
    for one in (scoring, ways):
        one.add_argument("--fit", type=Path, help="instead of the fit that ships")
        one.add_argument("--repeats", type=int, default=4, help="random orders of the samples")
    chosen = parser.parse_args()
    if chosen.what == "record":
        problems = items(chosen.data)[: chosen.limit]
        asyncio.run(record(chosen.pool, chosen.model, problems, chosen.n, TEMPERATURE, [TEXT]))
        return
    climbs = from_json(json.loads(chosen.fit.read_bytes())) if chosen.fit else shipped()
    small, large = SHAPES.values()
    decks = [
        Deck("small", small, load(chosen.small)), Deck("large", large, load(chosen.large))
    ] if chosen.what == "score" else [
        Deck(kind, SHAPES[chosen.model], load([chosen.pool], kind)) for kind in (TEXT, PROGRAM)
    ]  # fmt: skip
    score(decks, climbs, chosen.repeats)


if __name__ == "__main__":
    main()

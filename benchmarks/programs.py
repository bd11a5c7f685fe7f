"""Programs against texts, and votes across both, at equal FLOPs.

    python benchmarks/programs.py record POOL --model qwen2.5-coder-0.5b --data DIR
    python benchmarks/programs.py score POOL...

``record`` draws n texts (``direct``) and n programs (``program``, mended once) for each of the
first 100 problems of GSM8K's test set and the first 60 of MATH-500 whose level is 1 to 3, and
appends each sample, graded, to POOL as a line of JSON. Stopped at any moment, it goes on where it
was when it is started again. ``score`` needs no model: it draws subsets from the pools, lets them
vote, and prints accuracy, FLOPs, and paired differences (95 %, over problems) to the smallest vote
of texts that costs at least as much. Only problems that have all their samples count. The prompt
was chosen on problems of GSM8K's training set and on others of MATH-500 (``--tuning``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

import ponder
from ponder import Engine
from ponder.core.answer import Answer
from ponder.core.problem import Message, Problem
from ponder.core.trace import Trace
from ponder.experiments.evals.configurations import problem_seed
from ponder.experiments.stats import intervals, paired
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.suites import gsm8k, math500
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading.grade import grade
from ponder.policies.agreement import agreement
from ponder.policies.vote import vote

TEXT, PROGRAM = "text", "program"
STRATEGY = {TEXT: "direct", PROGRAM: "program"}
ANY = Problem((Message("user", "?"),))
TEMPERATURE, LENGTH = 0.7, 512
AT_ONCE = 16
SUBSETS = 200
"""Subsets of a problem's samples that are drawn for each row."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One graded sample: a text or a program, with all that mending it took."""

    problem: str
    kind: str
    k: int
    answer: str | None
    key: str | None
    correct: bool
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    flops: int
    cut: bool


def items(data: Path, tuning: bool) -> list[Item]:
    """Return the problems of both suites, mixed, so that a part of a recording has some of both."""
    easy = [item for item in math500.SUITE.load(data) if item.level in (1, 2, 3)]
    words = gsm8k.TRAIN.load(data)[:60] if tuning else gsm8k.SUITE.load(data)[:100]
    easy = easy[60:100] if tuning else easy[:60]
    return mixed(words, easy)


def mixed(*parts: Sequence[Item]) -> list[Item]:
    """Return the problems of all parts, so that each is spread evenly over the whole."""
    places = [((i + 0.5) / len(part), item) for part in parts for i, item in enumerate(part)]
    return [item for _, item in sorted(places, key=lambda pair: pair[0])]


# Recording ----------------------------------------------------------------------------------------


async def record(
    path: Path,
    model: str,
    problems: Sequence[Item],
    n: int,
    heat: float,
    kinds: Sequence[str] = (TEXT, PROGRAM),
) -> None:
    """Draw the samples that the pool lacks, and append each when it is graded."""
    have = {(s.problem, s.kind, s.k) for s in read(path)}
    wanted = [
        (item, kind, k)
        for item in problems
        for k in range(n)
        for kind in kinds
        if (item.problem_id, kind, k) not in have
    ]
    waiting, done = iter(wanted), 0
    with path.open("a", encoding="utf-8") as file:
        async with Engine() as engine:

            async def work() -> None:
                nonlocal done
                for item, kind, k in waiting:
                    sample = await draw(engine, model, item, kind, k, heat)
                    file.write(json.dumps(asdict(sample)) + "\n")
                    file.flush()
                    done += 1
                    if done % 100 == 0:
                        print(f"{done} of {len(wanted)}", flush=True)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def draw(engine: Engine, model: str, item: Item, kind: str, k: int, heat: float) -> Sample:
    """Draw and grade one sample; its seed is the same whenever it is drawn."""
    result = await ponder.asolve(
        item.problem,
        model=model,
        strategy=STRATEGY[kind],
        knobs={"temperature": heat, "length": LENGTH},
        seed=problem_seed(k, f"{kind} {item.problem_id}"),
        journal=False,
        engine=engine,
    )
    answer = result.trace.answer if result.trace else None
    right = await grade(item.gold, result.answer, tools=engine.tools)
    total = result.receipt.total
    return Sample(
        item.problem_id,
        kind,
        k,
        result.answer,
        answer.key if answer else None,
        right,
        total.calls,
        total.prompt_tokens,
        total.cached_tokens,
        total.completion_tokens,
        total.flops,
        bool(result.trace and result.trace.cut),
    )


def read(path: Path) -> Iterator[Sample]:
    """Yield the samples of a pool; a last line that was cut off is left out."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        path.write_text(text, encoding="utf-8")
    for line in text.splitlines():
        yield Sample(**json.loads(line))


# Scoring ------------------------------------------------------------------------------------------

SIZES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Row:
    """One way to answer: so many texts and so many programs, and who decides."""

    texts: int
    programs: int
    across: bool = False
    """True if the vote is weighted by agreement between the two."""

    @property
    def name(self) -> str:
        """Its name in a table."""
        if not self.programs:
            return _many(self.texts, "text")
        if not self.texts:
            return _many(self.programs, "program")
        how = "by agreement" if self.across else "plain vote"
        return f"{_many(self.texts, 'text')}, {_many(self.programs, 'program')}, {how}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"


def rows_of(most: int) -> list[Row]:
    """Return the ways that up to so many texts and programs allow."""
    sizes = [n for n in SIZES if n <= most]
    return [
        *(Row(n, 0) for n in range(1, most + 1)),
        *(Row(0, n) for n in sizes),
        *(Row(n, n, across) for n in sizes for across in (False, True)),
    ]


def score(path: Path, n: int) -> None:
    """Print the tables of one pool: for each suite and for all problems, of their first n samples
    of each kind.
    """
    samples: dict[str, list[Sample]] = defaultdict(list)
    for sample in read(path):
        if sample.k < n:
            samples[sample.problem].append(sample)
    full = {name: found for name, found in samples.items() if len(found) == 2 * n}
    print(f"\n## {path.name}: {len(full)} problems of {len(samples)} are complete")
    for suite in ("gsm8k", "math500", ""):
        chosen = [found for name, found in full.items() if name.startswith(suite)]
        if chosen:
            table(suite or "both", chosen, rows_of(n))


def table(title: str, problems: Sequence[Sequence[Sample]], rows: Sequence[Row]) -> None:
    """Print accuracy and cost of every row, and differences at equal FLOPs."""
    rights = np.array([[accuracy(held, row) for row in rows] for held in problems])
    costs = np.array([[cost(held, row) for row in rows] for held in problems])
    means = intervals.resampled_means(rights, 0)
    spent = costs.mean(axis=0)
    print(f"\n**{title}**, {len(problems)} problems\n")
    print("| | accuracy (95 %) | FLOPs | generated tokens | against | difference (95 %) |")
    print("| --- | --- | --- | --- | --- | --- |")
    for i, row in enumerate(rows):
        low, high = intervals.percentile(means[:, i])
        rival = matched(i, rows, spent[:, 0])
        cells = ["", ""]
        if row.programs and rival is not None:
            gap = paired.difference(rights, means, i, rival)
            doubt = "" if gap.decided else "; undecided"
            cells = [
                rows[rival].name,
                f"{gap.difference:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}{doubt})",
            ]
        figures = [f"{rights[:, i].mean():.3f} ({low:.3f} to {high:.3f})", f"{spent[i, 0]:.2e}"]
        print(f"| {' | '.join([row.name, *figures, f'{spent[i, 1]:,.0f}', *cells])} |")
    again = [sample for held in problems for sample in held if sample.kind == PROGRAM]
    mended = [sample for sample in again if sample.calls > 1]
    right, silent = sum(s.correct for s in mended), sum(s.answer is None for s in again)
    print(f"\n{len(mended)} of {len(again)} programs were mended, and {right} of these are right.")
    print(f"{silent} have no answer.")


def matched(i: int, rows: Sequence[Row], spent: Floats) -> int | None:
    """Return the smallest vote of texts that costs at least as much as a row; None if none does."""
    texts = [at for at, row in enumerate(rows) if not row.programs and spent[at] >= spent[i]]
    return min(texts, key=lambda at: float(spent[at]), default=None)


def accuracy(held: Sequence[Sample], row: Row) -> float:
    """Return the share of subsets of a problem's samples whose vote is right."""
    kinds = [[s for s in held if s.kind == kind] for kind in STRATEGY]
    rng = random.Random(f"{held[0].problem} {row.texts} {row.programs}")
    won = 0
    for _ in range(SUBSETS):
        drawn = [
            (sample, place, turn)
            for place, (some, n) in enumerate(zip(kinds, (row.texts, row.programs), strict=True))
            for turn, sample in enumerate(rng.sample(some, n))
        ]
        won += winner(drawn, row.across)
    return won / SUBSETS


def winner(drawn: Sequence[tuple[Sample, int, int]], across: bool) -> bool:
    """Return True if the vote's winner is right; a sample comes with its kind and its turn."""
    ballots, right = [], {}
    for sample, kind, turn in drawn:
        answer = Answer(sample.answer, sample.key) if sample.answer and sample.key else None
        name = str(len(STRATEGY) * turn + kind)  # as a mixture asks for them, in turn
        ballots.append((Trace(ANY, finish="stop", answer=answer, id=name), kind))
        right[name] = sample.correct
    standings = agreement(ballots) if across else vote(trace for trace, _ in ballots)
    return bool(standings) and right[standings[0].voter.id]


def cost(held: Sequence[Sample], row: Row) -> tuple[float, float]:
    """Return the mean FLOPs and generated tokens of a subset of one problem's samples."""
    flops = tokens = 0.0
    for kind, n in ((TEXT, row.texts), (PROGRAM, row.programs)):
        some = [s for s in held if s.kind == kind]
        flops += n * fmean(s.flops for s in some)
        tokens += n * fmean(s.completion_tokens for s in some)
    return flops, tokens


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("record", "score"))
    parser.add_argument("pools", type=Path, nargs="+", metavar="POOL")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--data", type=Path, help="folder that holds gsm8k/ and math500/")
    parser.add_argument("--n", type=int, default=SIZES[-1], help="samples of each kind")
    parser.add_argument("--tuning", action="store_true", help="problems to choose a prompt on")
    parser.add_argument("--temperature", type=float, default=TEMPERATURE)
    parser.add_argument("--limit", type=int, help="only the first problems")
    chosen = parser.parse_args()
    if chosen.what == "score":
        for path in chosen.pools:
            score(path, chosen.n)
        return
    problems = items(chosen.data, chosen.tuning)[: chosen.limit]
    [path] = chosen.pools
    asyncio.run(record(path, chosen.model, problems, chosen.n, chosen.temperature))


if __name__ == "__main__":
    main()

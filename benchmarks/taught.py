"""What a model gains by learning from its own search, and what it unlearns: before against after.

    python benchmarks/taught.py countdown FOLDER --data DIR [--problems 300] [--rounds 2]
    python benchmarks/taught.py thinking FOLDER --data DIR [--problems 300] [--levels off,low]
    python benchmarks/taught.py words FOLDER --data DIR [--problems 500]

Qwen2.5-Coder-0.5B learns. ``countdown`` is rejection sampling: puzzles made afresh are searched
with the checker, sixteen samples each, and it learns from those that passed, asked without the
suite's worked examples (``ponder learn sft --without-examples``). ``thinking`` lets it learn from
searches of puzzles written down (``ponder learn thinking``). ``words`` searches problems of GSM8K's
training part with four texts and four programs each, and lets it learn from texts whose answer five
of the eight gave, and so a program, too; no reference answer is read.

Then it answers what it did not learn from, and is compared with its own pools in docs/results:

- ``countdown`` and ``thinking``: the first 100 test puzzles, sixteen samples each. Before, they
  were asked with worked examples, since without them it finds next to nothing (docs/data.md);
- ``words``: the first 100 test problems of GSM8K, by eight texts and by four programs;
- ``countdown`` and ``words``: the first 82 of HumanEval, four samples each: what it unlearned.

Tables are Markdown: accuracy of one sample, of a vote, and coverage, which a checker reaches;
differences are paired by problem, intervals 95 % over problems. FLOPs count the prompt once for all
samples of a problem. ``FOLDER/*.html`` are ``ponder report --learned``, which says when search and
training are paid for. Each part is a file in FOLDER. Stopped at any moment, the same command goes
on.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from generative import cell, held, made, ponder, told
from ponder.experiments.evals.store import Outcome, Store
from ponder.experiments.pools.file import Pool
from ponder.experiments.stats import intervals, paired, scoring
from ponder.experiments.stats.columns import Columns
from ponder.experiments.stats.scoring import COVERAGE, RANDOM, Aggregator, Point

MODEL = "qwen2.5-coder-0.5b"
RESULTS = Path(__file__).parents[1] / "docs" / "results"
CHECKER = "arithmetic"
N = 16
"""Samples of a puzzle."""
KINDS = 4
"""Texts, and programs, of a problem in words."""
SEED = 0


@dataclass(frozen=True)
class Test:
    """Problems that a model has not learned from."""

    suite: str
    limit: int
    n: int
    by: str = ""
    """An aggregator that a user could run; '' for none."""
    knobs: tuple[str, ...] = ()

    @property
    def before(self) -> Path:
        """The model's pool before it learned."""
        return RESULTS / f"{self.suite}-0.5b.jsonl"


PUZZLES = Test("countdown", 100, N, f"best:{CHECKER}", ("style=zero_shot",))
PROBLEMS = Test("gsm8k", 100, 8, "majority")
FUNCTIONS = Test("humaneval", 82, 4)


# Learning -----------------------------------------------------------------------------------------


def learned(given: argparse.Namespace, *what: str) -> tuple[str, dict[str, Any]]:
    """Have the model learn; return its new name, and the card."""
    name, folder = f"{given.task}{given.suffix}", given.folder / "learning"
    ponder(
        "learn", "sft", *what, "--model", MODEL, "--name", name, "-o", str(folder), "--force",
    )  # fmt: skip
    return f"{MODEL}+{name}", json.loads((folder / "card.json").read_text(encoding="utf-8"))


def puzzles(given: argparse.Namespace) -> str:
    return f"countdown/train(seed=7, n={given.problems})"


def by_search(given: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    return learned(
        given, "--suite", puzzles(given), "--verifier", CHECKER, "--any-steps", "--n", str(N),
        "--rounds", str(given.rounds), "--without-examples", "--set", "length=512",
    )  # fmt: skip


def by_lessons(given: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    lessons = given.folder / "lessons.jsonl"
    made(
        lessons, "learn", "thinking", puzzles(given), "--levels", given.levels,
        "--without-examples", "-o", str(lessons),
    )  # fmt: skip
    return learned(given, str(lessons), "--epochs", str(given.epochs))


def by_agreement(given: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    store, rows = given.folder / "search.sqlite", given.folder / "rows.jsonl"
    ponder(
        "eval", "--suite", "gsm8k/train", "--limit", str(given.problems), "--model", MODEL,
        "--strategy", "mixture", "--set", "strategies=direct, program", "--set", f"n={KINDS}",
        "--set", "length=512", "--data", str(given.data), "--store", str(store),
    )  # fmt: skip
    made(
        rows, "learn", "export", str(store), "--verifier", "agreement", "--at-least", "0.625",
        "--most", str(given.most), "--not-in", "gsm8k", "--data", str(given.data), "-o", str(rows),
    )  # fmt: skip
    name, card = learned(given, str(rows), "--epochs", str(given.epochs))
    runs = outcomes(store)
    card["flops"]["search"] = sum(one.flops for _, one in runs)
    card["seconds"]["search"] = sum(one.seconds for _, one in runs)
    return name, card


def outcomes(store: Path) -> list[tuple[str, Outcome]]:
    """Return each outcome in a store, with the name of its model."""
    opened = Store(store)
    try:
        return [(c.model, one) for c in opened.configurations() for one in opened.outcomes(c.id)]
    finally:
        opened.close()


# Testing ------------------------------------------------------------------------------------------


def recorded(given: argparse.Namespace, model: str, rounds: int, test: Test, *ways: str) -> Path:
    """Return the pool of a test, with the checker's scores where there is one."""
    folder: Path = given.folder
    data = ["--data", str(given.data)]
    name = "-".join((test.suite, model.partition("+")[2], str(rounds), *ways))
    pool, scored = (folder / f"{name}{part}.jsonl" for part in ("-samples", ""))
    knobs = [*test.knobs, "length=512", *(f"thinking={way}" for way in ways)]
    made(
        pool, "pool", "record", "--suite", test.suite, "--limit", str(test.limit), "--model", model,
        "--n", str(test.n), *(word for knob in knobs for word in ("--set", knob)), *data,
        "-o", str(pool),
    )  # fmt: skip
    if CHECKER not in test.by:
        return pool
    return made(
        scored, "pool", "verify", str(pool), "--verifier", CHECKER, *data, "-o", str(scored)
    )


def programs(given: argparse.Namespace, model: str) -> str:
    """Return the accuracy of one program on GSM8K, before and after."""
    store = given.folder / "programs.sqlite"
    for name in (MODEL, model):
        ponder(
            "eval", "--suite", "gsm8k", "--limit", str(PROBLEMS.limit), "--model", name,
            "--strategy", "program", "--set", "length=512", "--set", "repairs=0", "--grid",
            f"seed={','.join(map(str, range(KINDS)))}", "--data", str(given.data),
            "--store", str(store),
        )  # fmt: skip
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for name, one in outcomes(store):
        right[name, one.problem_id].append(bool(one.correct))
    ids = sorted({problem for _, problem in right})
    values = np.array([[fmean(right[name, i]) for name in (MODEL, model)] for i in ids])
    means = intervals.resampled_means(values, SEED)
    gap = told(paired.difference(values, means, 1, 0))
    before, after = (cell(values, means, i) for i in (0, 1))
    return f"One program: {before}, then {after}; {gap}."


# Tables -------------------------------------------------------------------------------------------


def table(test: Test, before: Columns, after: Columns) -> Iterator[str]:
    """Yield a row for one sample, and for each number of samples to choose from."""
    if before.problem_ids != after.problem_ids:
        raise SystemExit("before and after are not of the same problems in the same order.")
    sizes = [n for n in (2, 4, 8, 16) if n <= after.fewest]
    how = Aggregator("majority") if test.by == "majority" else None
    points: list[Point] = [(RANDOM, 1), *((how, n) for n in sizes[1:] if how)]
    points += [(COVERAGE, n) for n in sizes]
    values = np.hstack([scoring.evaluate(one, points, seed=SEED)[0] for one in (before, after)])
    means = intervals.resampled_means(values, SEED)
    yield "| | before | after | difference | FLOPs before | FLOPs after |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for i, (by, n) in enumerate(points):
        gap = paired.difference(values, means, len(points) + i, i)
        cells = [cell(values, means, i), cell(values, means, len(points) + i), told(gap)]
        cells += [f"{one.cost(n)['flops']:.2e}" for one in (before, after)]
        yield f"| {'one sample' if by == RANDOM else f'{by} of {n}'} | {' | '.join(cells)} |"


def lengths(pool: Path) -> str:
    """Return the mean tokens of a prompt and of a sample, in words."""
    samples = [sample for entry in Pool(pool) for sample in entry.samples]
    prompt, tokens = (
        fmean(getattr(sample, name) or 0 for sample in samples)
        for name in ("prompt_tokens", "tokens")
    )
    return f"{prompt:.0f} tokens of prompt, {tokens:.0f} of a sample"


def before(given: argparse.Namespace, test: Test) -> Path:
    """Return the pool before, cut to the problems of the test."""
    folder: Path = given.folder
    cut = folder / f"{test.suite}-before.jsonl"
    if not cut.exists():
        lines = test.before.read_text(encoding="utf-8").splitlines(keepends=True)
        cut.write_text("".join(lines[: 1 + test.limit]), encoding="utf-8")
    return cut


def compared(given: argparse.Namespace, test: Test, after: Path, card: Path) -> None:
    """Print the table, and write the report."""
    old = before(given, test)
    print(f"\n**{after.stem}, {test.limit} problems**\n")
    print("\n".join(table(test, held(old), held(after))))
    print(f"\nBefore: {lengths(old)}; after: {lengths(after)}.")
    page, numbers = (given.folder / f"{after.stem}.{kind}" for kind in ("html", "json"))
    ponder(
        "report", str(old), str(after), "--learned", str(card), "-o", str(page), "--json",
        str(numbers), *(["--by", test.by] if test.by else []), "--force",
    )  # fmt: skip
    for suite in json.loads(numbers.read_text(encoding="utf-8"))["suites"]:
        for headline in suite["headlines"]:
            if headline["topic"] == "learning":
                print(f"\n{headline['text']} {headline['detail']}")


TASKS = {
    "countdown": (by_search, (PUZZLES, FUNCTIONS)),
    "thinking": (by_lessons, (PUZZLES,)),
    "words": (by_agreement, (PROBLEMS, FUNCTIONS)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--levels", default="off,low")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--most", type=int, default=4, help="rows of a problem in words")
    parser.add_argument("--suffix", default="", help="of the learned model's name")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    learn, tests = TASKS[given.task]
    model, found = learn(given)
    card = given.folder / "card.json"
    card.write_text(json.dumps(found), encoding="utf-8")
    ways = [(level,) for level in given.levels.split(",")] if given.task == "thinking" else [()]
    for test in tests:
        for way in ways:
            pool = recorded(given, model, len(found["rounds"]), test, *way)
            compared(given, test, pool, card)
    if given.task == "words":
        print(f"\n{programs(given, model)}")


if __name__ == "__main__":
    main()

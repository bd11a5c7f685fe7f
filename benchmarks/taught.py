"""What a model gains by learning from its own search, and what it unlearns: before against after.

    python benchmarks/taught.py countdown FOLDER --data DIR [--problems 300] [--rounds 2]
    python benchmarks/taught.py thinking FOLDER --data DIR [--problems 300] [--levels off,low]
    python benchmarks/taught.py report FOLDER --data DIR --before POOL --after POOL [--card CARD]

``countdown`` is rejection sampling: puzzles made afresh are searched with the checker, sixteen
samples each, and Qwen2.5-Coder-0.5B learns from the samples that it passed, asked without the
suite's worked examples (``ponder learn sft --without-examples``). ``thinking`` lets it learn from
searches of puzzles written down (``ponder learn thinking``). Either then records the first 100 test
puzzles, sixteen samples each, and compares with the model's own pool in docs/results, which was
asked with the worked examples, since without them it finds next to nothing (docs/data.md).

The table is Markdown: accuracy of one sample, and of the best of N by the checker, which is the
coverage; differences are paired by problem, intervals 95 % over problems. FLOPs count the prompt,
once for all samples of a problem. ``FOLDER/report.html`` is ``ponder report --learned``, which says
when search and training are paid for.

Each part is a file in FOLDER. Stopped at any moment, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from generative import held, made, told
from ponder.cli.root import run
from ponder.experiments.pools.file import Pool
from ponder.experiments.stats import intervals, paired, scoring
from ponder.experiments.stats.columns import Columns
from ponder.experiments.stats.scoring import COVERAGE, RANDOM

MODEL = "qwen2.5-coder-0.5b"
RESULTS = Path(__file__).parents[1] / "docs" / "results"
BEFORE = RESULTS / "countdown-0.5b.jsonl"
CHECKER = "arithmetic"
TESTS, N = 100, 16
SEED = 0


def learned(given: argparse.Namespace) -> str:
    """Have the model learn; return its new name."""
    folder, name = given.folder, f"{given.task}{given.suffix}"
    puzzles = f"countdown/train(seed=7, n={given.problems})"
    common = ("--model", MODEL, "--name", name, "-o", str(folder / "learning"), "--force")
    if given.task == "countdown":
        code = run([
            "learn", "sft", "--suite", puzzles, "--verifier", CHECKER, "--any-steps",
            "--n", str(N), "--rounds", str(given.rounds), "--without-examples",
            "--set", "length=512", *common,
        ])  # fmt: skip
    else:
        lessons = folder / "lessons.jsonl"
        made(
            lessons, "learn", "thinking", puzzles, "--levels", given.levels, "--without-examples",
            "-o", str(lessons),
        )  # fmt: skip
        code = run(["learn", "sft", str(lessons), "--epochs", str(given.epochs), *common])
    if code:
        raise SystemExit(code)
    return f"{MODEL}+{name}"


def recorded(given: argparse.Namespace, model: str, *ways: str) -> Path:
    """Return the pool of the test puzzles, with the checker's scores."""
    data, name = ["--data", str(given.data)], "-".join((model.partition("+")[2], *ways))
    pool, scored = (given.folder / f"{name}{part}.jsonl" for part in ("-samples", ""))
    asked = [word for way in ways for word in ("--set", f"thinking={way}")]
    made(
        pool, "pool", "record", "--suite", "countdown", "--limit", str(TESTS), "--model", model,
        "--n", str(N), "--set", "length=512", "--set", "style=zero_shot", *asked, *data,
        "-o", str(pool),
    )  # fmt: skip
    return made(
        scored, "pool", "verify", str(pool), "--verifier", CHECKER, *data, "-o", str(scored)
    )


# Tables -------------------------------------------------------------------------------------------


def table(before: Columns, after: Columns) -> Iterator[str]:
    """Yield a row for one sample, and for each number of samples to choose from."""
    if before.problem_ids != after.problem_ids:
        raise SystemExit("before and after are not of the same problems in the same order.")
    points = [(RANDOM, 1), *((COVERAGE, n) for n in (2, 4, 8, 16) if n <= after.fewest)]
    values = np.hstack([scoring.evaluate(one, points, seed=SEED)[0] for one in (before, after)])
    means = intervals.resampled_means(values, SEED)
    yield "| | before | after | difference | FLOPs before | FLOPs after |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for i, (_, n) in enumerate(points):
        at = (i, len(points) + i)
        cells = []
        for column in at:
            low, high, _ = intervals.interval(values[:, column], means[:, column])
            cells.append(f"{values[:, column].mean():.3f} ({low:.3f} to {high:.3f})")
        cells.append(told(paired.difference(values, means, at[1], at[0])))
        cells += [f"{one.cost(n)['flops']:.2e}" for one in (before, after)]
        yield f"| {f'best of {n}' if n > 1 else 'one sample'} | {' | '.join(cells)} |"


def lengths(pool: Path) -> str:
    """Return the mean tokens of a prompt and of a sample, in words."""
    samples = [sample for entry in Pool(pool) for sample in entry.samples]
    prompt, tokens = (
        sum(getattr(sample, name) or 0 for sample in samples) / len(samples)
        for name in ("prompt_tokens", "tokens")
    )
    return f"{prompt:.0f} tokens of prompt, {tokens:.0f} of a sample"


def compared(given: argparse.Namespace, before: Path, after: Path, card: Path | None) -> None:
    """Print the table, and write the report."""
    columns = [held(path) for path in (before, after)]
    print(f"\n**{after.stem}, {columns[0].problems} problems**\n")
    print("\n".join(table(*columns)))
    print(f"\nBefore: {lengths(before)}; after: {lengths(after)}.")
    page, numbers = (given.folder / f"{after.stem}.{kind}" for kind in ("html", "json"))
    cards = ["--learned", str(card)] if card else []
    code = run([
        "report", str(before), str(after), *cards, "--by", f"best:{CHECKER}", "-o", str(page),
        "--json", str(numbers), "--force",
    ])  # fmt: skip
    if code:
        raise SystemExit(code)
    for suite in json.loads(numbers.read_text(encoding="utf-8"))["suites"]:
        for headline in suite["headlines"]:
            if headline["topic"] == "learning":
                print(f"\n{headline['text']} {headline['detail']}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=("countdown", "thinking", "report"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--levels", default="off,low")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--suffix", default="", help="of the learned model's name")
    parser.add_argument("--before", type=Path, default=BEFORE)
    parser.add_argument("--after", type=Path)
    parser.add_argument("--card", type=Path)
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.task == "report":
        if given.after is None:
            parser.error("report compares two pools: name the second with --after")
        compared(given, given.before, given.after, given.card)
        return
    model = learned(given)
    card = given.folder / "learning" / "card.json"
    ways = [(level,) for level in given.levels.split(",")] if given.task == "thinking" else [()]
    for way in ways:
        compared(given, given.before, recorded(given, model, *way), card)


if __name__ == "__main__":
    main()

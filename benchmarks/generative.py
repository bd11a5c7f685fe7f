"""Verifiers that read, against those that count: the generative verifier, ``learned`` and the vote.

    python benchmarks/generative.py FOLDER --data DIR [--suite gsm8k humaneval] [--limit N]
        [--n 16] [--read 8] [--reader MODEL ...]
    python benchmarks/generative.py FOLDER --data DIR --suite gsm8k --pool POOL ...

The pools of docs/results hold no texts, and in an answer alone there is nothing to read. So this
records them once more, as docs/results.md says (``--n`` samples of the 0.5B model a problem), or
takes a ``--pool`` with texts that was recorded with ``--confidence``. Each reader judges the first
``--read`` samples of each problem, from one prefill each; then comes the verifier of features, and
the tables: Markdown, 95 % intervals over problems. On GSM8K ``learned`` is that of docs/results,
trained on other problems; on HumanEval it learns from four fifths of the pool to score the fifth,
five times.

Each part is a file in FOLDER, written by ``ponder pool record``, ``pool verify`` and ``verifier
eval``. The first two keep what has come in a journal: stopped at any moment, the same command goes
on. A reader may be any model, a learned one (``BASE+NAME``) too, if it has not learned from these
problems.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ponder.cli.root import run
from ponder.core.text.refs import Ref
from ponder.experiments.pools.file import Pool
from ponder.experiments.stats import columns, costs, intervals, paired, scoring
from ponder.experiments.stats.columns import Columns
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.stats.paired import Difference
from ponder.experiments.stats.scoring import COVERAGE, RANDOM, Aggregator, Point
from study import graded, knowing

SUITES = {"gsm8k": "GSM8K", "humaneval": "HumanEval"}
LIMITS = {"gsm8k": 100, "humaneval": 164}
MODEL = "qwen2.5-coder-0.5b"
READERS = ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
LEARNED = Path(__file__).parents[1] / "docs" / "results" / "gsm8k-learned.json"
MAJORITY, CONFIDENT = Aggregator("majority"), Aggregator("weighted", "mean_logprob")
FEATURES = "learned"
SEED = 0


# Recording ----------------------------------------------------------------------------------------


def ponder(*command: str) -> None:
    """Run a command of Ponder's, and end if it fails."""
    if code := run([*command]):
        raise SystemExit(code)


def made(path: Path, *command: str) -> Path:
    """Have ``ponder`` make a file, unless it is there."""
    if not path.exists():
        ponder(*command)
    return path


def recorded(given: argparse.Namespace, suite: str) -> tuple[Path, Path]:
    """Return the pool of a suite, and that of its first samples with all scores."""
    data, folder = ["--data", str(given.data)], given.folder
    limit = min(given.limit or LIMITS[suite], LIMITS[suite])
    pool = given.pool or folder / f"{suite}.jsonl"
    made(
        pool, "pool", "record", "--suite", suite, "--limit", str(limit), "--model", MODEL,
        "--n", str(given.n), "--set", "length=512", "--confidence", *data, "-o", str(pool),
    )  # fmt: skip
    read = pool
    for name in given.reader:
        before, read = read, folder / f"{read.stem}+{name.replace('/', '_')}.jsonl"
        made(
            read, "pool", "verify", str(before), "--verifier", str(Ref("generative", (Ref(name),))),
            "--as", name, "--n", str(given.read), *data, "-o", str(read),
        )  # fmt: skip
    file, whole = LEARNED, folder / f"{read.stem}+{FEATURES}.jsonl"
    fold: list[str] = []
    if suite != "gsm8k":
        file, fold = folder / f"{suite}-{FEATURES}.json", ["--cross-validate"]
        scores = "mean_logprob,lowest_group"
        made(file, "verifier", "train", str(read), "--scores", scores, "-o", str(file))
    made(
        whole, "verifier", "eval", str(file), str(read), "--n", str(given.read), *fold,
        "--write", str(whole),
    )  # fmt: skip
    return pool, whole


# Tables -------------------------------------------------------------------------------------------


def held(path: Path) -> Columns:
    pool = Pool(path)
    return columns.read(pool, shape=costs.shape_of(pool.header))


def table(whole: Columns, read: Columns, names: Sequence[str]) -> Iterator[str]:
    """Yield a row for each number of samples and way to choose among them."""
    sizes = sorted({n for n in (2, 4, 8, 16) if n <= read.fewest} | {read.fewest})
    ways = [point for n in sizes for point in points(n, names, last=n == read.fewest)]
    votes: list[Point] = [(MAJORITY, m) for m in range(1, whole.fewest + 1)]
    own, _ = scoring.evaluate(read, ways, seed=SEED)
    larger, _ = scoring.evaluate(whole, votes, seed=SEED)
    values = np.hstack([own, larger])
    means = intervals.resampled_means(values, SEED)
    price = [whole.cost(m)["flops"] for _, m in votes]
    yield "| N | chosen by | accuracy | minus the vote | minus a vote of as many FLOPs | FLOPs |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for at, (how, n) in enumerate(ways):
        cost = read.cost(n, how.score)["flops"]
        cells = [str(n), str(how), cell(values, means, at)]
        if how in (RANDOM, COVERAGE, MAJORITY):
            cells += ["", ""]
        else:
            same = paired.difference(values, means, at, ways.index((MAJORITY, n)))
            m = next((i for i, flops in enumerate(price) if flops >= cost), len(price) - 1)
            fewer = ", which has fewer" if price[m] < cost else ""
            equal = paired.difference(values, means, at, len(ways) + m)
            cells += [told(same), f"{told(equal)} of {m + 1}{fewer}"]
        yield f"| {' | '.join([*cells, f'{cost:.2e}'])} |"


def points(n: int, names: Sequence[str], *, last: bool) -> list[Point]:
    """Return the ways to choose among n; ``learned`` saw all samples, and chooses among all."""
    scores = [name for name in names if name != FEATURES or last]
    chosen = [Aggregator(how, name) for name in scores for how in ("best", "weighted")]
    return [(how, n) for how in (RANDOM, MAJORITY, CONFIDENT, *chosen, COVERAGE)]


def cell(values: Floats, means: Floats, column: int) -> str:
    """Return the mean of a column over problems, with its interval."""
    low, high, _ = intervals.interval(values[:, column], means[:, column])
    return f"{values[:, column].mean():.3f} ({low:.3f} to {high:.3f})"


def told(d: Difference) -> str:
    undecided = "" if d.decided else "; undecided"
    return f"{d.difference:+.3f} ({d.low:+.3f} to {d.high:+.3f}{undecided})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--pool", type=Path, help="of one suite, instead of a new recording")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--read", type=int, default=8)
    parser.add_argument("--reader", nargs="+", default=READERS)
    given = parser.parse_args()
    if given.pool and len(given.suite) > 1:
        parser.error("--pool is of one suite: name it with --suite")
    given.folder.mkdir(parents=True, exist_ok=True)
    found = {suite: recorded(given, suite) for suite in given.suite}
    for suite, (pool, scored) in found.items():
        whole, read = held(pool), held(scored)
        names = [*given.reader, FEATURES]
        [model] = Pool(pool).header.models
        print(f"\n**{SUITES[suite]}, {read.problems} problems, samples of {model}**\n")
        print("\n".join(table(whole, read, names)))
        print()
        for name in names:
            seen = [(g.answered, g.scores[name] > columns.ABSTAINED) for g in read.groups]
            silent = sum(int((answered & ~said).sum()) for answered, said in seen)
            if graded(read, name):
                print(f"- {knowing(Pool(scored), read, name)}")
            if silent:
                print(f"- {name} abstained on {silent} samples with an answer.")


if __name__ == "__main__":
    main()

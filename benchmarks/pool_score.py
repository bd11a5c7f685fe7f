"""Seconds and memory of `ponder pool score`: all aggregators at five N, from one large pool.

python benchmarks/pool_score.py [--problems 10000] [--samples 16] [--kind number|math]
                                [--spread 12] [--text 0] [--keep POOL]

The pool is made up: problems of a difficulty drawn uniformly, wrong answers among ``--spread``
others, two scores that know a little. ``--text`` is the length of each sample's text in characters.
The command runs in a process of its own; the memory is its peak resident set, child included.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ponder.experiments.pools.file import write
from ponder.experiments.pools.samples import Entry, Header, Sample

BY = "random,majority,best:a,weighted:a,best:b,weighted:b,coverage"
FORMULA = {"number": "{}", "math": r"\frac{{{}}}{{7}}\sqrt{{2}}"}


def entries(asked: argparse.Namespace) -> Iterator[Entry]:
    rng = random.Random(0)
    text = "x" * asked.text if asked.text else None
    for i in range(asked.problems):
        ease, gold = rng.random(), rng.randrange(10_000)
        samples = []
        for _ in range(asked.samples):
            right = rng.random() < ease
            value = gold if right else gold + 1 + rng.randrange(asked.spread)
            scores = {"a": rng.gauss(right, 1.0), "b": float(rng.gauss(right, 2.0) > 0)}
            answer = FORMULA[asked.kind].format(value) if rng.random() < 0.95 else None
            known = right and answer is not None
            samples.append(Sample(answer, known, scores, rng.randrange(50, 400), 80, text=text))
        yield Entry(str(i), str(gold), asked.kind, tuple(samples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--kind", choices=list(FORMULA), default="number")
    parser.add_argument("--spread", type=int, default=12)
    parser.add_argument("--text", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool = asked.keep or Path(folder) / "pool.jsonl"
        write(pool, Header(("made up",), {"seed": 0}), entries(asked))
        n = ",".join(str(max(1, asked.samples >> i)) for i in (4, 3, 2, 1, 0))
        command = ["pool", "score", str(pool), "--n", n, "--by", BY, "--json"]
        code = "import sys; from ponder.cli.pool.command import pool; pool(sys.argv[2:])"
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - start
        size = pool.stat().st_size
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024  # KiB on Linux
    rows = json.loads(done.stdout)["rows"]
    errors = [row["error"] for row in rows if "error" in row]
    print(f"{asked.problems} problems x {asked.samples} samples, {asked.kind}, {size / 1e6:.0f} MB")
    print(f"{len(rows)} rows, {len(errors)} by Monte Carlo (error {max(errors, default=0):.5f})")
    print(
        f"{seconds:.1f} s ({cpu:.1f} s of CPU), {peak:.0f} MiB; Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()

"""From the command to the answer, as whole processes: a GGUF file against its converted model.

python benchmarks/start.py [--model NAME_OR_PATH] [--question TEXT] [--runs 5]

Each round runs ``ponder solve QUESTION --effort minimal`` both ways, in turn, since other work on
the machine slows both alike; the table has medians, of wall time and of the processor's time (user
and system, child processes included), and the median of the ratios within one round. Both ways
have a home of their own: one without converted models, since a file stands in their place, and one
in which the model was converted before the first round. Then ``ponder --help`` and ``import
ponder``, beside Python's own start.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ponder.models import catalog, names
from ponder.models.config import Config
from ponder.models.learned import Learned
from ponder.models.openvino.machine import usable_cores


@dataclass(frozen=True)
class Timed:
    wall: float
    cpu: float
    output: str


def timed(command: list[str], **environment: str) -> Timed:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timed(wall, cpu, done.stdout)


def answered(output: str) -> tuple[object, ...]:
    """The answer, and every text, in a result as JSON."""
    found = json.loads(output)
    total = found["receipt"]["total"]
    return (
        found["answer"],
        found["candidates"],
        total["prompt_tokens"],
        total["completion_tokens"],
    )


def starts(path: Path, question: str, runs: int) -> None:
    solve = [sys.executable, "-m", "ponder", "solve", question]
    solve += ["--effort", "minimal", "--json", "--model", str(path)]
    found: dict[str, list[Timed]] = {"GGUF": [], "converted": []}
    with tempfile.TemporaryDirectory() as scratch:
        homes = {way: Path(scratch) / way for way in found}
        for home in homes.values():
            home.mkdir()
        (homes["GGUF"] / "converted").touch()
        for home in homes.values():  # converts where it can; both files are in memory afterwards
            timed(solve, PONDER_HOME=str(home))
        for _ in range(runs):
            for way, home in homes.items():
                found[way].append(timed(solve, PONDER_HOME=str(home)))
    answers = {answered(each.output)[0] for way in found.values() for each in way}
    contents = {str(answered(each.output)) for way in found.values() for each in way}
    pairs = list(zip(found["GGUF"], found["converted"], strict=True))
    print(f"{'':<12} {'wall s':>8} {'CPU s':>8}")
    for way, each in found.items():
        print(
            f"{way:<12} {statistics.median(t.wall for t in each):>8.1f} "
            f"{statistics.median(t.cpu for t in each):>8.1f}"
        )
    print(
        f"{'ratio':<12} {statistics.median(a.wall / b.wall for a, b in pairs):>8.2f} "
        f"{statistics.median(a.cpu / b.cpu for a, b in pairs):>8.2f}"
    )
    print(f"answers: {answers}; texts and tokens {'equal' if len(contents) == 1 else 'DIFFER'}\n")


def imports(runs: int) -> None:
    commands = {
        "ponder --help": ["-m", "ponder", "--help"],
        "import ponder": ["-c", "import ponder"],
        "python": ["-c", "import sys"],
    }
    print(f"{'':<14} {'wall ms':>8} {'CPU ms':>8}")
    for name, arguments in commands.items():
        each = [timed([sys.executable, *arguments]) for _ in range(runs)]
        print(
            f"{name:<14} {1000 * statistics.median(t.wall for t in each):>8.0f} "
            f"{1000 * statistics.median(t.cpu for t in each):>8.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=catalog.DEFAULT)
    parser.add_argument("--question", default="What is 2+2?")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    resolved = names.resolve(given.model, Config())
    files = catalog.Entry | names.GgufFile | Learned
    path = resolved.path if isinstance(resolved, files) else None
    if path is None or not path.exists():
        sys.exit(f"{given.model} is not on this machine: pull it first.")
    print(
        f"{given.model}, {usable_cores()} cores, {platform.machine()}, "
        f"openvino-genai {version('openvino-genai')}, {given.runs} rounds"
    )
    starts(path, given.question, given.runs)
    imports(4 * given.runs)


if __name__ == "__main__":
    main()

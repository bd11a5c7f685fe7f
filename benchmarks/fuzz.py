"""Hostile inputs for everything that reads what others wrote: no traceback, no hang, no growth.

    python benchmarks/fuzz.py [--examples 20000] [--reader NAME ...] [--seed 0]
    python benchmarks/fuzz.py --reader NAME --again FILE

Each reader (tests/support/fuzzing) runs in a process of its own, whose address space may grow by
the reader's limit and no more, and in which a watchdog ends any input that takes too long. Prints
one line per reader; exits with 1 if there is a finding, whose input lies in --findings and can be
run --again. Limits of memory need Linux.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.fuzzing import NAMES, Reader  # noqa: E402

from ponder.core.text.visible import visible_line  # noqa: E402

FOUND = 3
"""Exit code of a process with a finding; any other but 0 is the watchdog's or the system's."""
MIB = 2**20
ROUND = 500
"""Inputs of one run of hypothesis."""


def reader(name: str) -> Reader:
    """The reader of a module: one of ours by its name, any other by its whole name."""
    module = name if "." in name else f"tests.support.fuzzing.{name}"
    found: Reader = importlib.import_module(module).READER
    return found


# In a process of its own --------------------------------------------------------------------------


def address_space() -> int:
    pages = Path("/proc/self/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def peak() -> int:
    """Of memory, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def guard(one: Reader) -> None:
    """Refuse memory beyond the reader's limit."""
    if sys.platform == "linux":
        limit = address_space() + one.megabytes * MIB
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def work(name: str, examples: int, seed: int, current: Path) -> int:
    """Run the reader; the input that is being read is always in the file ``current``."""
    one, count = reader(name), 0

    def counted(data: bytes) -> None:
        nonlocal count
        current.write_bytes(data)
        attempt(one, data)
        count += 1

    before = peak()
    try:
        for data in one.valid:  # imports all that it needs, which is no growth
            attempt(one, data)
        before = peak()
        guard(one)
        for start in range(0, examples, ROUND):  # what hypothesis remembers of a round is no growth
            inputs(one, counted, min(ROUND, examples - start), seed + start)
    except Exception:
        traceback.print_exc()
        return FOUND
    finally:
        print(count, max(0, peak() - before), flush=True)
    return 0


def inputs(one: Reader, read: Callable[[bytes], None], examples: int, seed: int) -> None:
    """So many inputs; raises for the smallest that is found to fail."""

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
    )
    @given(one.inputs)
    def every(data: bytes) -> None:
        read(data)

    every()


def attempt(one: Reader, data: bytes) -> None:
    """Read one input; raises what the reader must not raise."""
    faulthandler.dump_traceback_later(one.seconds, exit=True)
    try:
        one.read(data)
    except one.allowed:
        pass
    finally:
        faulthandler.cancel_dump_traceback_later()


# The table ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What came of one reader."""

    name: str
    examples: int
    seconds: float
    peak: int
    finding: str = ""


def run(name: str, examples: int, seed: int, findings: Path) -> Run:
    with tempfile.TemporaryDirectory(prefix="ponder-fuzz-") as folder:
        current = Path(folder) / "input"
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, __file__, "--work", str(current), "--reader", name,
             "--examples", str(examples), "--seed", str(seed)],
            capture_output=True,
            text=True,
            errors="replace",
        )  # fmt: skip
        seconds = time.monotonic() - began
        count, grown = (int(word) for word in (done.stdout.split()[-2:] or ["0", "0"]))
        if done.returncode == 0:
            return Run(name, count, seconds, grown)
        findings.mkdir(parents=True, exist_ok=True)
        kept = findings / f"{name}.input"
        kept.write_bytes(current.read_bytes() if current.exists() else b"")
        kept.with_suffix(".txt").write_text(done.stderr)
    return Run(name, count, seconds, grown, f"{why(done.returncode, done.stderr)}; see {kept}")


def why(code: int, stderr: str) -> str:
    """In a few words that no terminal obeys."""
    if code == FOUND:
        named = [line for line in stderr.splitlines() if line[:1].isalpha() and "Error" in line]
        return visible_line(named[-1])[:120] if named else "an error without a name"
    return "it takes too long" if "Timeout" in stderr else f"its process ended with {code}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--examples", type=int, default=20_000, help="inputs of each reader")
    parser.add_argument("--reader", action="append", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), metavar="DIR")
    parser.add_argument("--again", type=Path, metavar="FILE", help="read only this input")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    names = asked.reader or list(NAMES)
    for name in names:
        if "." not in name and name not in NAMES:
            parser.error(f"there is no reader {name!r}: expected one of {', '.join(NAMES)}.")
    if asked.again or asked.work:
        if len(names) != 1:
            parser.error("--again takes one --reader.")
        if asked.work:
            return work(names[0], asked.examples, asked.seed, asked.work)
        one = reader(names[0])
        for data in one.valid:
            attempt(one, data)
        guard(one)
        attempt(one, asked.again.read_bytes())
        return 0
    print(f"{'reader':<10} {'examples':>9} {'seconds':>8} {'peak MiB':>9}  result", flush=True)
    found = False
    for name in names:
        of = run(name, asked.examples, asked.seed, asked.findings)
        result = of.finding or "nothing found"
        row = f"{name:<10} {of.examples:>9,} {of.seconds:>8.1f} {of.peak / MIB:>9.1f}  {result}"
        print(row, flush=True)
        found = found or bool(of.finding)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())

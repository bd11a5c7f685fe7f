"""Verdicts per second of each sandbox of this machine, on a trivial program with one test.

    python benchmarks/sandbox.py [--n 200] [--rounds 5]

Every verdict is of a program of its own, so none is answered from memory. 'per core' divides by the
CPU time that the verdicts took (this process, and all that it started and waited for), so it does
not depend on what else the machine does; 'wall' is by the clock, with as many at once as there are
cores. Medians over the rounds, with the least and the most; one round before them warms up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import time
from collections.abc import Iterator

from ponder.sandbox.base import WORKERS, Limits, Sandbox, Script
from ponder.sandbox.choice import confined
from ponder.sandbox.monty import monty

TEST = Script(("assert double(21) == 42",))


def cpu(helpers: list[int]) -> float:
    """Seconds of this process, of those that it waited for, and of those that serve on."""
    times = os.times()
    tick = os.sysconf("SC_CLK_TCK")
    serving = 0
    for pid in helpers:
        with open(f"/proc/{pid}/stat") as file:
            serving += sum(map(int, file.read().rpartition(") ")[2].split()[11:15]))
    return sum(times[:4]) + serving / tick


def descendants(pid: int) -> list[int]:
    """Of a process, itself left out."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = [int(child) for child in file.read().split()]
    except OSError:
        return []
    return [*children, *(grand for child in children for grand in descendants(child))]


async def verdicts(where: Sandbox, n: int, first: int) -> None:
    programs = [f"def double(n):\n    return n * 2 + 0 * {first + i}" for i in range(n)]
    for [outcome] in await asyncio.gather(*(where.test([p], TEST) for p in programs)):
        assert outcome.passed, outcome


def measure(where: Sandbox, n: int, rounds: int) -> None:
    asyncio.run(verdicts(where, n, 0))
    # A sandbox of its own per verdict is waited for; what serves many verdicts is counted here.
    serving = [] if where.whole else descendants(os.getpid())
    walls, cores = [], []
    for i in range(1, rounds + 1):
        wall, used = time.perf_counter(), cpu(serving)
        asyncio.run(verdicts(where, n, i * n))
        walls.append(n / (time.perf_counter() - wall))
        cores.append(n / (cpu(serving) - used))
    for name, rates in (("per core", cores), ("wall", walls)):
        spread = f"{min(rates):.0f} to {max(rates):.0f}"
        print(f"{where.name:12} {name:9} {statistics.median(rates):7.0f} verdicts/s ({spread})")


def present() -> Iterator[Sandbox]:
    """The sandboxes of this machine, one after the other; says of those that are not here why."""
    for make in (confined, monty):
        try:
            yield make(Limits())
        except (OSError, ImportError) as error:
            print(f"{make.__name__}: not here ({error})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, {WORKERS} at once, n={given.n}"
    )
    for where in present():
        measure(where, given.n, given.rounds)


if __name__ == "__main__":
    main()

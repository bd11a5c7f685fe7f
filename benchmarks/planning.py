"""CPU time of a decision: the next step of ``auto``, the next wave of a vote that stops by value,
and the next samples of a batch.

    python benchmarks/planning.py [--samples 32] [--times 300]

States are random: samples of each rung fall on a right answer, on one of several wrong ones, or on
none, at rates drawn for each state. Decisions are made with the fits in the package, all of
them five times over; of each the shortest time counts, as other work on the machine only adds to
it.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ponder.core.answer import Answer
from ponder.core.outlook import Seen
from ponder.core.problem import AnswerType, Message, Problem
from ponder.core.trace import Trace
from ponder.planning import climbing, difficulty
from ponder.policies.allocation import Allocation
from ponder.policies.ladder import EMPTY, Ballots, choose
from ponder.policies.poll import Poll
from ponder.policies.stopping import Value
from ponder.strategies.climbing.auto import SIZES

TYPES: tuple[AnswerType, ...] = ("number", "choice", "math", "text")
ASKED = Problem((Message("user", "?"),))
WORTHS = (100.0, 1_000.0, 10_000.0)
"""Worth of a right answer in samples of the first rung."""


def votes(rng: random.Random, samples: int) -> list[str | None]:
    """Return the answers of so many samples; some questions scatter, some do not."""
    wrong, silent, width = rng.random() ** 2, rng.random() * 0.2, rng.choice((2, 5, 20))
    found: list[str | None] = []
    for _ in range(samples):
        miss = rng.random() < wrong
        answer = f"wrong {rng.randrange(width)}" if miss else "right"
        found.append(None if rng.random() < silent else answer)
    return found


def ladders(rng: random.Random, rungs: int, most: int) -> Iterator[list[Ballots]]:
    """Yield states of a climb: the lower rungs have more samples."""
    while True:
        sizes = sorted((rng.randint(0, most) for _ in range(rungs)), reverse=True)
        yield [EMPTY.plus(votes(rng, max(size, not place))) for place, size in enumerate(sizes)]


def auto(rng: random.Random, rungs: int, most: int) -> Callable[[], object]:
    """Return one decision of ``auto``."""
    tallies = next(ladders(rng, rungs, most))
    ladder = climbing.shipped().climb(rng.choice(TYPES)).ladder(rungs)
    worth = rng.choice(WORTHS)
    prices = {
        (rung, size): size * 3.0**rung
        for rung, tally in enumerate(tallies)
        for size in SIZES
        if tally.samples + size <= most
    }

    def decide() -> object:
        now = ladder.posterior(tallies)
        return now.beliefs, choose(now.options(prices), worth)

    return decide


def value(rng: random.Random, most: int) -> Callable[[], object]:
    """Return the choice of a vote's next wave."""
    outlook = difficulty.shipped().outlook(rng.choice(TYPES))
    poll = Poll(most, Value(1 / rng.choice(WORTHS), outlook))
    samples = rng.randint(1, most - 1)
    drawn: Sequence[str | None] = votes(rng, samples)
    poll._asked = poll._coming = samples
    for i, name in enumerate(drawn):
        answer = None if name is None else Answer(name, name)
        poll.add(Trace(ASKED, answer=answer, id=f"0.{i}"), 1.0)
    return lambda: poll.wave(1)


def batch(rng: random.Random, most: int) -> Callable[[], object]:
    """Return what one problem of a batch takes: its new steps, and its place among the others."""
    outlook = difficulty.shipped().outlook(rng.choice(TYPES))
    names = [name for name in votes(rng, rng.randint(1, most - 1)) if name is not None]
    counts = sorted((names.count(name) for name in {*names}), reverse=True)
    allocation = Allocation([outlook], [1.0], most)
    allocation.wave(1)

    def decide() -> object:
        allocation.learn(0, Seen(tuple(counts)), 1.0)
        return allocation.wave(1)

    return decide


def seconds(decide: Callable[[], object]) -> float:
    """Return the CPU time of a decision."""
    began = time.process_time()
    decide()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=32, help="most samples of a rung")
    parser.add_argument("--times", type=int, default=300)
    given = parser.parse_args()
    made: dict[str, Callable[[random.Random], Callable[[], object]]] = {
        "auto, 1 model": lambda rng: auto(rng, 1, given.samples),
        "auto, 2 models": lambda rng: auto(rng, 2, given.samples),
        "auto, 3 models": lambda rng: auto(rng, 3, given.samples),
        "a vote's next wave": lambda rng: value(rng, given.samples),
        "a problem of a batch": lambda rng: batch(rng, given.samples),
    }
    print("| decision | median | 99th percentile | most |\n| --- | --- | --- | --- |")
    for name, make in made.items():
        rounds = [
            [1e3 * seconds(make(random.Random(i))) for i in range(given.times)] for _ in range(5)
        ]
        median, high, most = np.percentile(np.min(rounds, axis=0), [50, 99, 100])
        print(f"| {name} | {median:.2f} ms | {high:.2f} ms | {most:.2f} ms |", flush=True)


if __name__ == "__main__":
    main()

"""The tables of search, revision and forced thinking in docs/results.md, from what is beside it.

    python benchmarks/search_study.py [STORE...]

Prints Markdown: for each suite what every configuration reached and spent per problem, and its
paired difference to the one that samples whole chains and nothing else; and what revising and
waiting changed.
Needs no model and no data.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from ponder.experiments.evals.figures import compare, summary
from ponder.experiments.evals.store import Outcome, Store, Stored
from ponder.strategies.registry import STRATEGIES

SUITES = {
    "countdown": "Countdown",
    "game24/paper": "Game of 24",
    "gsm8k": "GSM8K",
    "humaneval": "HumanEval",
}
PLAIN = ("best of n", "self-consistency")
"""What the others are measured against, by name."""
Held = tuple[Stored, Sequence[Outcome]]


def main(paths: Sequence[Path]) -> None:
    held = [pair for path in paths for pair in read(path)]
    for suite, title in SUITES.items():
        found = [(one, outcomes) for one, outcomes in held if one.suite == suite]
        if found:
            table(title, sorted(found, key=place))


def read(path: Path) -> list[Held]:
    """What a store holds of configurations that were run."""
    store = Store(path)
    try:
        held = [(one, store.outcomes(one.id)) for one in store.configurations()]
        return [(one, outcomes) for one, outcomes in held if outcomes]
    finally:
        store.close()


def place(held: Held) -> tuple[int, float]:
    """By strategy, and those of one strategy as they were evaluated."""
    return list(STRATEGIES).index(held[0].resolved["strategy"]), held[0].created


def table(title: str, held: Sequence[Held]) -> None:
    """Print the configurations of one suite."""
    [plain] = [pair for pair in held if pair[0].name in PLAIN]
    print(f"\n**{title}**, {len(plain[1])} problems\n")
    minus = f"minus {plain[0].name}"
    print(f"| configuration | accuracy | {minus} | generated | prompt tokens | evaluated | FLOPs |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one, outcomes in held:
        said = summary(one, outcomes)
        generated = [o.completion_tokens + o.wasted_tokens for o in outcomes]
        cells = [
            one.name,
            f"{said.accuracy:.3f} ({said.low:.3f} to {said.high:.3f})",
            "" if one is plain[0] else apart(plain, (one, outcomes)),
            f"{fmean(generated):,.0f}",
            f"{fmean(o.prompt_tokens for o in outcomes):,.0f}",
            f"{fmean(o.prompt_tokens - o.cached_tokens for o in outcomes):,.0f}",
            f"{said.cost['flops']:.2e}",
        ]
        print(f"| {' | '.join(cells)} |")
    notes = [(one, mended(o)) for one, o in held if one.resolved["strategy"] == "refine"]
    forced = [pair for pair in held if pair[0].resolved["strategy"] == "budget_forcing"]
    notes += [(one, changed(forced[0][1], outcomes)) for one, outcomes in forced[1:]]
    print("".join(f"\n- {one.name}: {said}" for one, said in notes))


def mended(outcomes: Sequence[Outcome]) -> str:
    """What became of the attempts that were revised."""
    again = [outcome for outcome in outcomes if outcome.calls > 1]
    first = sum(bool(outcome.correct) for outcome in outcomes if outcome.calls == 1)
    right = sum(bool(outcome.correct) for outcome in again)
    return f"{first} right in one attempt; of {len(again)} that were revised {right} are right."


def changed(before: Sequence[Outcome], after: Sequence[Outcome]) -> str:
    """What became of the answers of the same chains."""
    first = {outcome.problem_id: outcome for outcome in before}
    pairs = [(first[outcome.problem_id], outcome) for outcome in after]
    same = sum(a.key == b.key for a, b in pairs)
    lost = sum(bool(a.correct) and not b.correct for a, b in pairs)
    won = sum(bool(b.correct) and not a.correct for a, b in pairs)
    return f"{same} answers stay, {lost} right ones are given up, {won} wrong ones mended."


def apart(plain: Held, other: Held) -> str:
    """The paired difference, in a cell."""
    found = compare(plain, other)
    doubt = "" if found.decided else "; undecided"
    return f"{found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f}{doubt})"


if __name__ == "__main__":
    beside = (Path(__file__).parents[1] / "docs" / "results").glob("search*.sqlite")
    main([Path(path) for path in sys.argv[1:]] or sorted(beside))

"""The search of a round: problems sampled with the embedded engine, and scored by a verifier.

It is a recording and its verification, as ``ponder pool record`` and ``ponder pool verify`` make
them, with their journals: nothing is sampled twice. Reference answers stay out: no sample is
graded, and the pools are written without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Receipt
from ponder.core.errors import UsageError
from ponder.core.record.effects import Sampling
from ponder.experiments.pools import file as pools
from ponder.experiments.pools import recording, verifying
from ponder.experiments.pools.recorder import Progress as Far
from ponder.experiments.pools.samples import Entry, Header
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.registry import find, measures
from ponder.learning.rows import questions
from ponder.learning.rows.chains import AGREEMENT
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.sources import Reader
from ponder.planning.styles import Style
from ponder.runtime.engine import Engine
from ponder.verifiers import registry

Tell = Callable[[str, int, int, int, str], None]
"""Gets a stage, what is done, what there is to do, what was done before, and a note."""


@dataclass(frozen=True, slots=True)
class Search:
    """A request to search a suite's problems for chains to learn from.

    Raises:
        UsageError: models are measured on the suite, or the verifier cannot score a pool.
    """

    suite: str
    """Name of the suite."""
    choice: Choice
    """The verifier, and the choice among the chains that it passes."""
    n: int = 16
    """Samples of each problem in each round."""
    limit: int | None = None
    """Most problems; None for all."""
    every: int = 1
    """Every so-many-th problem is taken."""
    sampling: Sampling = field(default_factory=Sampling)
    style: Style = "plain"
    """The style in which the problems are asked."""
    without_examples: bool = False
    """True to show solved questions in the first round alone: rows and later rounds do without."""
    not_in: Sequence[str] = ()
    """Suites whose questions are left out."""
    folder: Path | None = None
    """The folder of benchmark data."""

    def __post_init__(self) -> None:
        name = find(self.suite).name
        if measures(name):
            raise UsageError(
                f"models are measured on {name}: one that learns from it cannot be measured on it. "
                "Search a suite for training, such as gsm8k/train, gym(TASK, seed=7) or a file of "
                "your own."
            )
        if self.scored and registry.find(self.choice.verifier).needs_logprobs:
            raise UsageError(
                f"{self.choice.verifier!r} reads log-probabilities, which say how sure the model "
                "is, not that it is right: name a verifier such as arithmetic, execution or "
                f"{AGREEMENT}."
            )

    @property
    def scored(self) -> bool:
        """True if a verifier scores the samples; agreement is counted when rows are chosen."""
        return self.choice.verifier != AGREEMENT

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON, without the folder."""
        return {
            "suite": find(self.suite).name,
            "limit": self.limit,
            "every": self.every,
            "n": self.n,
            "sampling": self.sampling.describe(),
            "style": self.style,
            "without_examples": self.without_examples,
            "verifier": self.choice.verifier,
            "at_least": self.choice.at_least,
            "pick": self.choice.pick,
            "most": self.choice.most,
            "any_steps": self.choice.any_steps,
            "not_in": list(self.not_in),
        }

    def items(self) -> dict[int, Item]:
        """Return the problems to sample, by their position in the suite.

        Raises:
            UsageError: the suite cannot be read, or no problem is left.
        """
        taken = list(enumerate(find(self.suite).load(self.folder)))[:: self.every][: self.limit]
        known = [
            questions.Known.of(name, (item.problem for item in find(name).load(self.folder)))
            for name in self.not_in
        ]
        found = {
            i: item for i, item in taken if not any(suite.holds(item.problem) for suite in known)
        }
        if not found:
            raise UsageError(
                f"none of the {len(taken):,} problems of {self.suite} is left: all are questions "
                f"of {', '.join(self.not_in)}, or nearly so."
            )
        return found


@dataclass(frozen=True, slots=True)
class Searched:
    """The search of one round."""

    pool: Path
    """The pool of its samples, with the verifier's scores."""
    cost: Mapping[str, Any]
    """Its cost, of samples and scores together."""
    lost: int
    """Number of samples that did not come back."""


def searched(
    asked: Search,
    items: Mapping[int, Item],
    model: tuple[str, str],
    folder: Path,
    number: int,
    engine: Callable[[], Engine],
    tell: Tell,
) -> Searched:
    """Sample and score in the round of that number, but for what its folder has already.

    ``model`` is the name to open it by, and the one that pools and rows have.

    Raises:
        UsageError, RunFailed: as ``pools.recording.record`` and ``pools.verifying.verify``.
    """
    output = folder / f"verified-{number}.jsonl"
    if not output.exists():
        asyncio.run(_search(asked, items, model, output, number, engine, tell))
    rest = pools.Pool(output).header.rest
    parts = [rest["receipt"], rest.get("verifying", {})]
    cost = {
        unit: sum(part.get(unit, 0) for part in parts)
        for unit in ("prompt_tokens", "completion_tokens", "flops", "seconds")
    }
    return Searched(output, cost, rest["failed"])


async def _search(
    asked: Search,
    items: Mapping[int, Item],
    model: tuple[str, str],
    output: Path,
    number: int,
    engine: Callable[[], Engine],
    tell: Tell,
) -> None:
    seed = asked.choice.seed + number - 1
    wanted = recording.Recording(
        find(asked.suite).name,
        items,
        model[0],
        asked.n,
        asked.sampling,
        Budget(),
        seed,
        "zero_shot" if asked.without_examples and number > 1 else asked.style,
    )

    def sampled(far: Far) -> None:
        tell(
            "sampling", far.done, far.wanted, far.replayed, f"{far.failed} lost" * bool(far.failed)
        )

    samples = output.with_name(f"samples-{number}.jsonl")
    async with engine() as using:
        header, entries, _ = await recording.record(wanted, samples, tell=sampled, engine=using)
        header = Header((model[1],), header.rest)
        entries = [replace(entry, gold=None) for entry in entries]
        pools.write(samples, header, entries)
        if asked.scored:
            header, entries = await _scored(
                asked, items, header, entries, samples, output, using, tell
            )
    pools.write(output, header, entries)


async def _scored(
    asked: Search,
    items: Mapping[int, Item],
    header: Header,
    entries: Sequence[Entry],
    samples: Path,
    output: Path,
    engine: Engine,
    tell: Tell,
) -> tuple[Header, list[Entry]]:
    def verified(done: int, receipt: Receipt) -> None:
        tell("verifying", done, len(entries), 0, "")

    verifier = registry.find(asked.choice.verifier).name
    wanted = verifying.Verifying(
        entries,
        {item.problem_id: item.problem for item in items.values()},
        verifier,
        verifier,
        seed=asked.choice.seed,  # and no model: a judge is named, since the one that learns changes
    )
    found, receipt = await verifying.verify(wanted, samples, output, tell=verified, engine=engine)
    cost = receipt.total.to_json()
    del cost["role"], cost["model"]
    return Header(header.models, {**header.rest, "verifying": cost}), found


def tally(asked: Search, pool: Path, holdout: float) -> dict[str, dict[str, int]]:
    """Count problems, samples and those that the verifier passed, on both sides of the split."""
    found = {
        side: {"problems": 0, "solved": 0, "samples": 0, "passed": 0}
        for side in ("learned", "held_out")
    }
    for one in Reader(pool, asked.suite, asked.folder).read(str(pool)):
        held = questions.held_out(questions.side(one.problem), holdout)
        count = found["held_out" if held else "learned"]
        passed = sum(map(asked.choice.passed, one.voted().chains))
        count["problems"] += 1
        count["solved"] += passed > 0
        count["samples"] += len(one.chains)
        count["passed"] += passed
    return found

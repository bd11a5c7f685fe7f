"""Records a pool: the request, the journal beside the pool, and the pool made from that journal.

A recording is one run of the journal ``POOL.journal``, with one ledger and one budget. Sample k of
problem i has the path ``i.k``, and its seed follows from it. So neither n nor the number of
problems identifies a recording, and it can be extended: journalled samples are not drawn again.
The pool is made from the journal, never from this process's memory.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from ponder import api
from ponder._version import __version__
from ponder.answers.extract import instruction
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item as Spent
from ponder.core.errors import CapabilityError, RunFailed, UsageError
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.experiments.pools.recorder import Outcome, Progress, Recorder, sample_of
from ponder.experiments.pools.samples import Entry, Header, Sample
from ponder.experiments.suites.base import Item
from ponder.models.base import ModelInfo
from ponder.models.fetch import sha256_of
from ponder.models.opening import Opened
from ponder.planning.capabilities import payable
from ponder.planning.styles import Style, styled
from ponder.runtime.engine import Engine, engine_of
from ponder.runtime.journal import Journal
from ponder.runtime.records import RunRow
from ponder.runtime.stack import World
from ponder.verifiers.confidence import lowest_group, mean_logprob

CONFIDENCE = {"mean_logprob": mean_logprob, "lowest_group": lowest_group}


@dataclass(frozen=True, slots=True)
class Recording:
    """A request to record samples."""

    suite: str
    items: Mapping[int, Item]
    """Items by their position in the suite; any part of it."""
    model: str
    n: int
    """Samples per problem."""
    sampling: Sampling
    budget: Budget
    seed: int
    style: Style = "plain"
    """The style in which the problems are asked."""

    @property
    def posed(self) -> Mapping[int, Item]:
        """The items as they are asked."""
        return {
            i: replace(item, problem=styled(item.problem, self.style))
            for i, item in self.items.items()
        }

    def told(self) -> dict[str, str]:
        """Return the style as JSON; nothing if it is plain, as in older pools."""
        return {} if self.style == "plain" else {"style": self.style}


def journal_of(pool: Path) -> Path:
    """Return the journal that holds the samples of a pool, during and after its recording."""
    return pool.with_name(f"{pool.name}.journal")


async def record(
    asked: Recording,
    pool: Path,
    *,
    opened: Opened | None = None,
    tell: Callable[[Progress], None] = lambda progress: None,
    engine: Engine | None = None,
) -> tuple[Header, list[Entry], Outcome]:
    """Record what the journal of ``pool`` does not hold yet; returns an ungraded pool.

    Cancelling it loses only the samples in flight.

    Raises:
        UsageError: the model cannot be sampled so, or the journal holds another recording.
        RunFailed: the model gives no samples (any more); earlier samples are kept.
    """
    async with engine_of(engine) as using, api.opened(opened or asked.model, using) as used:
        info = used.model.info
        _check(asked, info, priced=used.pricing is not None)
        sha256 = await asyncio.to_thread(sha256_of, used.path) if used.path else ""
        journal = Journal(journal_of(pool))
        try:
            run = claimed(journal, _identity(asked, sha256), pool)
            world = World(used.model, using.tools.reader.read, pricing=used.pricing)
            recorder = Recorder(
                world, asked.posed, asked.n, asked.sampling, asked.budget, asked.seed, journal,
                run, tell,
            )  # fmt: skip
            try:
                outcome = await recorder.go()
            except BaseException:
                journal.finish(run, "interrupted", None)
                raise
            journal.finish(run, "interrupted" if outcome.stopped_by else "done", None)
            entries = pool_of(journal, run, asked.items, asked.n)
            if not entries:
                raise RunFailed(_nothing(outcome))
        finally:
            journal.close()
    embedded = used.path is not None
    return _header(asked, info, sha256, outcome, embedded), entries, outcome


def pool_of(journal: Journal, run: str, items: Mapping[int, Item], n: int) -> list[Entry]:
    """Return the recorded samples of these problems, ungraded.

    Problems without any are left out.
    """
    found: dict[int, dict[int, Sample]] = {i: {} for i in items}
    for row in journal.calls(run):
        i, k = sample_of(row.path)
        if isinstance(row.result, dict) and row.spent is not None and i in found and k < n:
            found[i][k] = _sample(row.result, row.spent)
    return [
        Entry(
            items[i].problem_id,
            items[i].gold.to_json(),
            items[i].problem.answer_type,
            tuple(samples[k] for k in sorted(samples)),
            items[i].level,
        )
        for i, samples in found.items()
        if samples
    ]


def _sample(result: Mapping[str, Any], spent: Spent) -> Sample:
    answer, key = result["answer"] or (None, None)
    scores = {}
    if result["logprobs"]:
        found = {name: of(result["logprobs"]) for name, of in CONFIDENCE.items()}
        scores = {name: round(value, 6) for name, value in found.items() if value is not None}
    return Sample(
        answer,
        None,
        scores,
        result["tokens"],
        spent.prompt_tokens,
        round(spent.seconds, 3),
        spent.picousd / PICO if spent.picousd else None,
        key,
        result["finish"] not in (None, "stop"),
        result["text"],
        reasoning=result.get("reasoning", ""),
    )


def _nothing(outcome: Outcome) -> str:
    if outcome.receipt.overcharged:
        return f"no sample came back: {outcome.receipt.overcharged}"
    if outcome.stopped_by:
        return f"the budget of {outcome.stopped_by} does not allow one sample: give a larger one."
    return f"no sample came back: {outcome.lost}"


def _check(asked: Recording, info: ModelInfo, *, priced: bool) -> None:
    payable(asked.budget, info, priced=priced)
    info.check(asked.sampling.thinking)
    if asked.sampling.logprobs and "logprobs" not in info.capabilities:
        raise CapabilityError(
            f"{info.name} gives no log-probabilities, which --confidence needs: leave it out, or "
            'say capabilities = ["logprobs", ...] in ponder.toml if this endpoint has them.'
        )


def _identity(asked: Recording, sha256: str) -> dict[str, Any]:
    """Return the properties that identify a recording."""
    return {
        "kind": "record",
        "suite": asked.suite,
        "model": asked.model,
        "file_sha256": sha256,
        "sampling": asked.sampling.describe(),
        "seed": asked.seed,
        **asked.told(),
    }


def claimed(journal: Journal, identity: Mapping[str, Any], pool: Path) -> str:
    """Return the run of the journal of ``pool``; starts it if there is none.

    Raises:
        UsageError: it has another identity, or another process is working on it.
    """
    rows: list[RunRow] = journal.runs()
    if not rows:
        return journal.create(dict(identity))
    held = rows[0].spec
    other = [name for name in {**identity, **held} if held.get(name) != identity.get(name)]
    if other:
        raise UsageError(
            f"{journal_of(pool)} holds another recording, with another {' and '.join(other)}: "
            "choose another name for the pool, or remove that file."
        )
    journal.claim(rows[0].id)
    return rows[0].id


def _header(
    asked: Recording, info: ModelInfo, sha256: str, outcome: Outcome, embedded: bool
) -> Header:
    first: Problem = next(iter(asked.items.values())).problem
    total = outcome.receipt.total.to_json()
    del total["role"], total["model"]
    rest: dict[str, Any] = {
        "file_sha256": sha256 or None,
        "parameters": info.shape.parameters or None,
        "attention": info.shape.attention or None,
        "suite": asked.suite,
        "prompt": instruction(first),
        "sampling": _identity(asked, sha256)["sampling"],
        "seed": asked.seed,
        **asked.told(),
        "versions": versions(embedded=embedded),
        "failed": outcome.failed,
        "stopped_by": outcome.stopped_by,
        "receipt": total,
    }
    return Header((asked.model,), {k: v for k, v in rest.items() if v is not None})


def versions(*, embedded: bool) -> dict[str, str]:
    """Return the versions of the software that drew the samples; ``embedded`` is True if the model
    runs within this process, so that its engines are among them.
    """
    found = {"ponder": __version__, "python": platform.python_version()}
    if embedded:
        for package in ("openvino-genai", "xllamacpp"):
            with suppress(metadata.PackageNotFoundError):
                found[package] = metadata.version(package)
    return found

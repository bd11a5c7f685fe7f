"""``ponder pool record`` and ``ponder pool grade``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from ponder import api
from ponder.cli.commands.solve import knob_values
from ponder.cli.options.data import DATA
from ponder.cli.options.numbers import TOKENS
from ponder.cli.options.once import Command
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.bar import Bar, spending
from ponder.cli.output.files import free, tell_skipped
from ponder.cli.output.terminal import say, short
from ponder.cli.output.voice import Voice
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.errors import RunFailed, UsageError
from ponder.core.problem import Message, Problem
from ponder.experiments.pools import file as pools
from ponder.experiments.pools import recording, regrading
from ponder.experiments.pools.recorder import Outcome
from ponder.experiments.pools.recorder import Progress as Far
from ponder.experiments.pools.samples import Entry
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.files import MappedFile
from ponder.experiments.suites.grading import gold as golds
from ponder.experiments.suites.registry import find, own
from ponder.planning import presets
from ponder.runtime.engine import Engine

_FILE = click.Path(path_type=Path)
MOST = 4096
"""Same limit as a strategy's n."""


@click.command(cls=Command)
@click.option("--suite", required=True, metavar="SUITE", help="As in 'ponder data show'.")
@click.option("-m", "--model", metavar="MODEL", help="As in 'ponder solve'.")
@click.option(
    "--n", default=8, show_default=True, type=click.IntRange(1, MOST), help="Samples of each."
)
@click.option("-o", "--output", "pool", type=_FILE, required=True, metavar="POOL", help="Where to.")
@click.option("--limit", type=click.IntRange(1), help="Only so many problems.")
@click.option("--every", default=1, type=click.IntRange(1), metavar="K", help="Every k-th problem.")
@click.option(
    "--set",
    "knobs",
    multiple=True,
    metavar="KNOB=VALUE",
    help=f"How samples are drawn: {', '.join(presets.SHARED)}; repeatable.",
)
@click.option("--confidence", is_flag=True, help="Score samples by their log-probabilities, too.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of sampling.")
@click.option("--max-tokens", type=TOKENS, help="Budget of the whole recording: tokens.")
@click.option("--max-usd", type=float, metavar="USD", help="Dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Wall time in seconds.")
@click.option("--max-flops", type=float, metavar="FLOPS", help="Floating-point operations.")
@DATA
@click.option("--force", is_flag=True, help="Overwrite a pool that is there.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@UNSAFE
def record(
    suite: str,
    model: str | None,
    n: int,
    pool: Path,
    limit: int | None,
    every: int,
    knobs: tuple[str, ...],
    confidence: bool,
    seed: int,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    max_flops: float | None,
    folder: Path | None,
    force: bool,
    quiet: bool,
    unsafe: bool,
) -> int:
    """Sample every problem of a suite N times, grade the samples, and write them as a pool.

    Samples are kept in POOL.journal. After a crash, an exhausted budget or Ctrl-C, the same
    command continues from there. With a larger --n or --limit (and --force) it adds more samples
    or problems.
    """
    found = find(suite)
    free(pool, force, inputs=files_of(suite))
    engine = Engine(teller=Voice(quiet), unsafe=unsafe)
    given = {**knob_values(knobs)}
    sampling, style = presets.drawing(given, logprobs=confidence)
    items = dict(list(enumerate(found.load(folder)))[::every][:limit])
    asked = recording.Recording(
        found.name,
        items,
        api.model_name(model, engine.config),
        n,
        sampling,
        Budget(max_tokens, max_usd, max_flops, max_seconds),
        seed,
        style,
    )
    try:
        return asyncio.run(_record(engine, asked, pool, quiet))
    except (KeyboardInterrupt, RunFailed) as ended:
        kept = recording.journal_of(pool)
        if kept.exists():
            say(f"what has come is in {kept}; the same command goes on from there", err=True)
        if isinstance(ended, RunFailed):
            raise
        raise click.Abort from None


async def _record(engine: Engine, asked: recording.Recording, pool: Path, quiet: bool) -> int:
    async with engine:
        with Bar("sampling", quiet) as bar:

            def tell(far: Far) -> None:
                bar.advance(far.done, far.wanted, far.replayed, _note(far))

            header, entries, outcome = await recording.record(asked, pool, tell=tell, engine=engine)
        golds_here = {item.problem_id: item.gold for item in asked.items.values()}
        problem = ""
        try:
            entries = await _graded(engine, entries, golds_here, quiet)
        except UsageError as error:
            problem = str(error)
    problems, samples = pools.write(pool, header, entries)
    if not quiet:
        _tell(outcome, f"wrote {pool}: {problems} problems, {samples} samples")
    if problem:
        raise UsageError(f"the samples are recorded but not graded: {problem}")
    return 1 if outcome.failed or outcome.stopped_by else 0


def _note(far: Far) -> str:
    total = far.receipt.total
    lost = f"{far.failed} lost" if far.failed else ""
    return spending(total.cost.tokens, total.picousd / PICO, lost)


def _tell(outcome: Outcome, line: str) -> None:
    total = outcome.receipt.total
    spent = f"{total.prompt_tokens + total.completion_tokens + total.wasted_tokens:,} tokens"
    usd = f", ${total.picousd / 1e12:.4f}" if total.picousd else ""
    say(f"{line}; {spent}{usd}, {total.seconds:,.0f} s", err=True)
    if outcome.failed:
        say(
            f"{outcome.failed} samples were lost ({outcome.lost}); the same command with --force "
            "tries them again",
            err=True,
        )
    if outcome.receipt.overcharged:
        say(short(outcome.receipt.overcharged, 240), err=True)
    elif outcome.stopped_by:
        say(
            f"the budget of {outcome.stopped_by} ended it; the same command with --force and a "
            "larger one goes on",
            err=True,
        )


async def _graded(
    engine: Engine,
    entries: Sequence[Entry],
    known: Mapping[str, golds.Gold],
    quiet: bool,
    *,
    keep: bool = False,
) -> list[Entry]:
    with Bar("grading", quiet) as bar:
        return await regrading.graded(
            entries, known, keep=keep, tools=engine.tools, tell=bar.advance
        )


@click.command(cls=Command)
@click.argument("path", metavar="POOL", type=_FILE)
@click.option("-o", "--output", type=_FILE, required=True, metavar="POOL", help="Where to write.")
@click.option("--suite", metavar="SUITE", help="Where the references are, if not in the pool.")
@DATA
@click.option("--skip-broken", is_flag=True, help="Leave out broken lines, and count them.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@UNSAFE
def grade(
    path: Path,
    output: Path,
    suite: str | None,
    folder: Path | None,
    skip_broken: bool,
    force: bool,
    quiet: bool,
    unsafe: bool,
) -> None:
    """Extract the answers from the samples' texts again, and grade them again.

    Samples without a text keep their answers, and their grades unless --suite names the suite to
    grade them by. The references are the pool's own, or those of that suite.
    """
    free(output, force, inputs=[path, *files_of(suite)])
    source = pools.Pool(path, skip_broken=skip_broken)
    entries = list(source)
    items = items_of(suite, folder, entries, given=True)
    known = {e.problem_id: _gold(e, items) for e in entries}
    asked = {e.problem_id: problem_of(e, items) for e in entries}
    kept = 0 if suite else sum(regrading.stands(s) for e in entries for s in e.samples)
    engine = Engine(unsafe=unsafe)
    entries = asyncio.run(_regraded(engine, entries, asked, known, quiet, keep=not suite))
    problems, samples = pools.write(output, source.header, entries)
    if not quiet:
        say(f"wrote {output}: {problems} problems, {samples} samples", err=True)
        if kept:
            say(f"{kept} samples have no text, and keep their grades", err=True)
    tell_skipped(source.skipped)


async def _regraded(
    engine: Engine,
    entries: Sequence[Entry],
    asked: Mapping[str, Problem],
    known: Mapping[str, golds.Gold],
    quiet: bool,
    *,
    keep: bool,
) -> list[Entry]:
    async with engine:
        read = await regrading.reread(entries, asked, engine.tools.reader)
        return await _graded(engine, read, known, quiet, keep=keep)


def _gold(entry: Entry, items: Mapping[str, Item]) -> golds.Gold:
    if entry.problem_id in items:
        return items[entry.problem_id].gold
    if entry.gold is None:
        raise UsageError(
            f"problem {entry.problem_id!r} has no reference in the pool: name its suite with "
            "--suite, and the folder of its data with --data."
        )
    return golds.from_json(entry.gold, entry.answer_type)


def files_of(suite: str | None) -> list[Path]:
    """Return the file that a suite is read from, if the caller named one: never to be overwritten.

    Raises:
        UsageError: the suite does not exist.
    """
    found = find(suite) if suite else None
    return [found.path] if isinstance(found, MappedFile) else []


def items_of(
    suite: str | None, folder: Path | None, entries: Sequence[Entry], *, given: bool
) -> dict[str, Item]:
    """Return the items of a pool's suite, by problem id; none if no suite is named.

    ``given`` is True if the caller named the suite, False if the pool did.

    Raises:
        UsageError: the suite does not exist, or lacks problems of the pool.
    """
    if not suite:
        return {}
    if not given and not own(suite):  # a foreign pool must not name a file or the hub
        raise UsageError(
            f"the pool is of the suite {suite!r}, which is none of Ponder's own: name it, or where "
            "it is, with --suite."
        )
    items = {item.problem_id: item for item in find(suite).load(folder)}
    for entry in entries:
        if entry.problem_id not in items:
            raise UsageError(
                f"the suite {suite!r} has no problem {entry.problem_id!r}, which the pool has."
            )
    return items


def problem_of(entry: Entry, items: Mapping[str, Item]) -> Problem:
    """Return the problem as in the suite, or else as far as the pool describes it."""
    if entry.problem_id in items:
        return items[entry.problem_id].problem
    return Problem((Message("user", "?"),), entry.answer_type)

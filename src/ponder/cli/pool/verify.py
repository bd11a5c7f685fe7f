"""``ponder pool verify``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from ponder.cli.options.data import DATA
from ponder.cli.options.numbers import TOKENS
from ponder.cli.options.once import Command
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.bar import Bar, spending
from ponder.cli.output.files import free, tell_skipped
from ponder.cli.output.terminal import say
from ponder.cli.output.voice import Voice, tell_of_person
from ponder.cli.pool.record import files_of, items_of, problem_of
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Receipt
from ponder.core.errors import LimitReached, Overcharged, RunFailed, UsageError
from ponder.experiments.pools import file as pools
from ponder.experiments.pools import verifying
from ponder.experiments.pools.recording import journal_of
from ponder.experiments.pools.samples import Entry, first
from ponder.runtime.engine import Engine
from ponder.verifiers import registry
from ponder.verifiers.learned.verifier import Learned

_FILE = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("path", metavar="POOL", type=_FILE)
@click.option("--verifier", required=True, metavar="NAME", help="As in 'ponder solve'.")
@click.option("--as", "name", metavar="SCORE", help="The score's name.  [default: the verifier's]")
@click.option("-m", "--model", default="", metavar="MODEL", help="For verifiers that ask a model.")
@click.option("-o", "--output", type=_FILE, required=True, metavar="POOL", help="Where to write.")
@click.option("--n", type=click.IntRange(1), help="Only the first N samples of each problem.")
@click.option("--suite", metavar="SUITE", help="The suite of the problems.  [default: the pool's]")
@DATA
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of sampling.")
@click.option("--max-tokens", type=TOKENS, help="Budget of it all: tokens.")
@click.option("--max-usd", type=float, metavar="USD", help="Dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Wall time in seconds.")
@click.option("--max-flops", type=float, metavar="FLOPS", help="Floating-point operations.")
@click.option("--skip-broken", is_flag=True, help="Leave out broken lines, and count them.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@UNSAFE
def verify(
    path: Path,
    verifier: str,
    name: str | None,
    model: str,
    output: Path,
    n: int | None,
    suite: str | None,
    folder: Path | None,
    seed: int,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    max_flops: float | None,
    skip_broken: bool,
    force: bool,
    quiet: bool,
    unsafe: bool,
) -> None:
    """Score every sample of POOL with a verifier, and keep the score and its cost.

    Then 'ponder pool score --by best:SCORE' re-scores from it. Finished scores are kept in the
    journal beside the output, and the same command continues from there. The verifier never sees a
    reference.
    """
    free(output, force, inputs=[path, *files_of(suite)])
    said = registry.find(verifier)
    if name is not None and not name.strip():
        raise UsageError(f"--as: expected the name of a score, not {name!r}.")
    name = name or said.name
    if said.needs_logprobs and isinstance(said, Learned):
        raise UsageError(
            f"{said.name!r} reads log-probabilities, which a pool does not keep: score the pool "
            "with 'ponder verifier eval FILE POOL --write OUT'."
        )
    if said.needs_logprobs:
        raise UsageError(
            f"{said.name!r} reads log-probabilities, which a pool does not keep: record it with "
            "--confidence, which keeps those scores."
        )
    source = pools.Pool(path, skip_broken=skip_broken)
    entries = [e if n is None else first(e, n) for e in source]
    if not force and any(name in s.scores for e in entries for s in e.samples):
        raise UsageError(
            f"the pool has a score {name!r} already: name another with --as, or say --force."
        )
    items = items_of(suite or source.header.rest.get("suite"), folder, entries, given=bool(suite))
    tell_skipped(source.skipped)
    silent = sum(s.text is None for e in entries for s in e.samples)
    if silent and not quiet:
        say(f"{silent} samples have no text: their answers stand for it", err=True)
    if not quiet:
        tell_of_person(verifier)
    asked = verifying.Verifying(
        entries,
        {e.problem_id: problem_of(e, items) for e in entries},
        said.name,
        name,
        model,
        seed,
        Budget(max_tokens, max_usd, max_flops, max_seconds),
    )
    try:
        found, receipt = asyncio.run(_verified(asked, path, output, quiet, unsafe))
    except (KeyboardInterrupt, LimitReached) as ended:
        kept = journal_of(output)
        say(f"what has come is in {kept}; the same command goes on from there", err=True)
        if isinstance(ended, Overcharged):
            raise RunFailed(str(ended)) from None
        if isinstance(ended, LimitReached):
            raise RunFailed(f"{ended}: give a larger one.") from None
        raise click.Abort from None
    pools.write(output, source.header, found)
    if not quiet:
        scored = sum(asked.name in s.scores for e in found for s in e.samples)
        whole = sum(len(e.samples) for e in found)
        total = receipt.total
        spent = spending(total.cost.tokens, total.picousd / PICO)
        say(
            f"wrote {output}: {scored} of {whole} samples have the score {asked.name!r}; {spent}",
            err=True,
        )
    if receipt.overcharged:
        raise RunFailed(receipt.overcharged)


async def _verified(
    asked: verifying.Verifying, source: Path, output: Path, quiet: bool, unsafe: bool
) -> tuple[list[Entry], Receipt]:
    engine = Engine(teller=Voice(quiet), unsafe=unsafe)
    with Bar("verifying", quiet) as bar:

        def tell(done: int, receipt: Receipt) -> None:
            total = receipt.total
            note = spending(total.cost.tokens, total.picousd / PICO)
            bar.advance(done, len(asked.entries), 0, note)

        async with engine:
            return await verifying.verify(asked, source, output, tell=tell, engine=engine)

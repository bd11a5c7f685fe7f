"""``ponder batch``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ponder import api, batching
from ponder.cli.commands.solve import interruptible, knob_values
from ponder.cli.options.numbers import TOKENS
from ponder.cli.options.once import Command
from ponder.cli.options.together import apart, needs
from ponder.cli.output.bar import Bar, spending
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say, say_json, say_text, short
from ponder.cli.output.voice import Voice
from ponder.cli.views import result as shown
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.errors import PonderError, RunFailed, UsageError
from ponder.core.problem import ANSWER_TYPES
from ponder.core.worth import said
from ponder.planning.presets import COMMON
from ponder.planning.problems import labels
from ponder.planning.spec import Spec
from ponder.runtime.answered import Answered, BatchResult, left
from ponder.runtime.batch import Progress
from ponder.runtime.engine import Engine
from ponder.util.decoding import Malformed, parse
from ponder.util.files import read_text, replaced, rows

_FILE = click.Path(path_type=Path)
KEPT = "given"
"""Field for the input's fields that have the name of one of the output's."""


@click.command(cls=Command)
@click.argument("file", metavar="FILE", type=_FILE)
@click.option("-o", "--output", type=_FILE, metavar="PATH", help="Where to write; else stdout.")
@click.option("-m", "--model", metavar="MODEL", help="As in 'ponder solve'.")
@click.option("--max-tokens", type=TOKENS, help="Budget of all questions: tokens, as in 500k.")
@click.option("--max-usd", type=float, metavar="USD", help="Dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Wall time in seconds.")
@click.option("--max-flops", type=float, metavar="FLOPS", help="Floating-point operations.")
@click.option(
    "--set",
    "knobs",
    multiple=True,
    metavar="KNOB=VALUE",
    help=f"n, the most samples of a question ({batching.N}), {', '.join(COMMON)}; repeatable.",
)
@click.option(
    "--type",
    "answer_type",
    default="auto",
    metavar="TYPE",
    help=f"Of questions that do not say: auto, {', '.join(ANSWER_TYPES)}.",
)
@click.option("--choices", metavar="A,B,...", help="Labels to choose from, likewise.")
@click.option("--system", default="", metavar="TEXT", help="A system message.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same samples.")
@click.option(
    "--at-once",
    default=batching.AT_ONCE,
    show_default=True,
    metavar="N",
    help="Most samples in flight, and decided on together.",
)
@click.option("--journal", metavar="PATH", help="Record the batch in this file.")
@click.option("--no-journal", is_flag=True, help="Do not record the batch.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object about the batch.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def batch(
    file: Path,
    output: Path | None,
    model: str | None,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    max_flops: float | None,
    knobs: tuple[str, ...],
    choices: str | None,
    at_once: int,
    journal: str | None,
    no_journal: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Answer the questions in FILE within one budget: each next sample goes where it gains most.

    FILE is JSON Lines: each row has a 'question' or 'messages', perhaps 'choices' and an
    'answer_type'. No other field reaches a model; all are copied to the output. After a crash,
    Ctrl-C or an exhausted budget the same command goes on from the journal.
    """
    apart("--journal", journal, "--no-journal", no_journal)
    needs("--force", force, "-o", output)
    if as_json and output is None:
        raise UsageError("--json prints about the batch: say with -o where the answers go.")
    if output is not None:
        free(output, force, inputs=[file])
    budget = Budget(max_tokens, max_usd, max_flops, max_seconds)
    read = list(_rows(file))
    engine = Engine(teller=Voice(quiet))
    asked = batching.wishes(
        [row for _, row in read],
        model=api.model_name(model, engine.config),
        budget=budget,
        knobs=knob_values(knobs),
        choices=labels(choices) if choices else (),
        place=lambda i: f"{file}, line {read[i][0]}",
        **options,
    )
    where: str | bool = journal or not no_journal
    try:
        result = asyncio.run(_run(engine, asked, at_once, where, quiet or as_json))
    except RunFailed as failed:
        if failed.receipt and not quiet:
            shown.receipt(failed.receipt, err=True)
        raise
    _write(output, [_row(*pair) for pair in zip((r for _, r in read), result.answers, strict=True)])
    if as_json:
        say_json(result.to_json())
    elif not quiet:
        _show(result, output)
    if result.stopped_by == "interrupt":
        return 130
    answered = any(one.answer is not None for one in result.answers)
    return 0 if answered and not result.receipt.overcharged else 1


async def _run(
    engine: Engine, asked: Sequence[Spec], at_once: int, journal: str | bool, quiet: bool
) -> BatchResult:
    budget = asked[0].budget
    with Bar("batch", quiet) as bar:

        def tell(far: Progress) -> None:
            bar.advance(*_spent(budget, far), note=_note(budget, far))

        ready = batching.prepare(asked, engine, at_once=at_once, journal=journal, tell=tell)
        async with engine, ready as prepared:
            if prepared.resumed and not quiet:
                say(f"going on with run {prepared.run}", err=True)
            async with interruptible(prepared.interrupt):
                return await prepared.go()


def _spent(budget: Budget, far: Progress) -> tuple[int, int]:
    """Return the percentage of the budget that is spent, of the limit that is nearest."""
    rest = left(budget, far.receipt)
    share = max(1 - unspent / getattr(budget, unit) for unit, unspent in rest.items())
    return round(100 * share), 100


def _note(budget: Budget, far: Progress) -> str:
    total = far.receipt.total
    rest = [said(unspent, unit) for unit, unspent in left(budget, far.receipt).items()]
    asked = f"{far.sampled:,} of {far.problems:,} questions, {far.samples:,} samples"
    return f"{asked}, {spending(total.cost.tokens, total.picousd / PICO)}; {', '.join(rest)} left"


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in rows(read_text(file)):
        try:
            row = parse(line)
        except Malformed as error:
            raise UsageError(f"{file}, line {number}: {error}.") from None
        if not isinstance(row, dict):
            raise UsageError(
                f'{file}, line {number}: expected an object such as {{"question": "..."}}.'
            )
        yield number, row


def _row(given: Mapping[str, Any], found: Answered) -> dict[str, Any]:
    made = found.to_json()
    kept = {name: value for name, value in given.items() if name not in made}
    clash = {name: value for name, value in given.items() if name in made}
    return {**kept, **({KEPT: clash} if clash else {}), **made}


def _write(output: Path | None, found: Sequence[Mapping[str, Any]]) -> None:
    lines = [json.dumps(row) for row in found]
    if output is None:
        say_text("\n".join(lines))
        return
    try:
        replaced(output, (f"{line}\n".encode() for line in lines))
    except OSError as error:
        raise PonderError(f"cannot write {output}: {error.strerror or error}.") from None


def _show(result: BatchResult, output: Path | None) -> None:
    told = result.to_json()
    rest = ", ".join(said(unspent, unit) for unit, unspent in result.left.items())
    where = f"; wrote {output}" if output else ""
    say(
        f"answered {told['answered']:,} of {told['questions']:,} questions with "
        f"{told['samples']:,} samples, {rest} left{where}",
        err=True,
    )
    words = {
        "settled": "nothing more was worth its while", "lost": "the model gave no samples any more",
        "interrupt": "stopped; the same command goes on", "overcharged": "overcharged",
    }  # fmt: skip
    ended = f"the budget of {result.stopped_by} ended it; a larger one goes on"
    recorded = f" (run {result.run})" if result.run else ""
    say(f"{words.get(result.stopped_by, ended)}{recorded}", err=True)
    if result.lost:
        say(f"samples were lost: {short(result.lost, 240)}", err=True)
    shown.receipt(result.receipt, err=True)

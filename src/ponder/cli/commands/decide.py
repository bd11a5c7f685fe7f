"""``ponder decide``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, get_args

import click

from ponder import api
from ponder.cli.options.once import Command
from ponder.cli.output.terminal import say, say_json, short
from ponder.cli.output.voice import Voice
from ponder.cli.views import result as shown
from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.decision import Decision, decided, wish
from ponder.planning.spec import Spec
from ponder.runtime.engine import Engine
from ponder.strategies.looking import MOST, Labels
from ponder.util.files import read_text, text_of, with_line_feeds

ABSTAINED = 3
"""Exit code if the model did not decide."""


@click.command(cls=Command)
@click.argument("question")
@click.option(
    "-t",
    "--text",
    "texts",
    multiple=True,
    metavar="PATH|-",
    help="Text that the question is about; - is standard input; repeatable.",
)
@click.option(
    "-c",
    "--choices",
    default="yes,no",
    show_default=True,
    metavar="A,B,...",
    help=f"Answers to choose from, at most {MOST}.",
)
@click.option("-m", "--model", metavar="MODEL", help="Catalog name, .gguf, hub file, endpoint.")
@click.option(
    "--labels",
    default="letters",
    show_default=True,
    metavar="KIND",
    help=f"What the model replies with: {' or '.join(get_args(Labels))} (the choices).",
)
@click.option(
    "--permutations",
    type=int,
    default=4,
    show_default=True,
    metavar="N",
    help="Most orders of the choices, to cancel a liking for a place.",
)
@click.option(
    "--calibrate", is_flag=True, help="Divide by the probabilities for a text that says nothing."
)
@click.option(
    "--soften",
    type=float,
    default=1.0,
    show_default=True,
    metavar="T",
    help="Temperature of the probabilities.",
)
@click.option(
    "--threshold",
    type=float,
    default=0.0,
    show_default=True,
    metavar="P",
    help="Abstain below this probability.",
)
@click.option("--max-tokens", type=int, metavar="N", help="Budget: prompt and completion tokens.")
@click.option("--max-usd", type=float, metavar="USD", help="Budget: dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Budget: wall time in seconds.")
@click.option("--max-flops", type=float, metavar="FLOPS", help="Budget: floating-point operations.")
@click.option("--system", default="", metavar="TEXT", help="A system message.")
@click.option("--seed", default=0, show_default=True, help="The run's seed.")
@click.option("--journal", metavar="PATH", help="Record the run in this file.")
@click.option("--no-journal", is_flag=True, help="Do not record the run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each text.")
@click.option("-q", "--quiet", is_flag=True, help="Print the decision alone.")
def decide(
    question: str,
    texts: tuple[str, ...],
    choices: str,
    model: str | None,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    max_flops: float | None,
    system: str,
    seed: int,
    journal: str | None,
    no_journal: bool,
    as_json: bool,
    quiet: bool,
    **knobs: Any,
) -> int:
    """Decide QUESTION about a text by the probabilities of a few choices, after one look.

    Each text is a run of its own, and a budget is for each. Exit codes: 0 decided, 3 abstained
    (for at least one of several texts), 1 a failed run, 2 wrong usage.
    """
    if journal and no_journal:
        raise UsageError("--journal and --no-journal exclude each other: give one of them.")
    engine = Engine(teller=Voice(quiet))
    name = api.model_name(model, engine.config)
    labels = tuple(label.strip() for label in choices.split(",") if label.strip())
    budget = Budget(max_tokens, max_usd, max_flops, max_seconds)
    asked = [
        wish(
            question, text, choices=labels, model=name, knobs=knobs, budget=budget,
            system=system, seed=seed,
        )
        for text in (_texts(texts) or [""])
    ]  # fmt: skip
    where: str | bool = journal or not no_journal
    return asyncio.run(_decide(engine, asked, texts, where, as_json=as_json, quiet=quiet))


async def _decide(
    engine: Engine,
    asked: list[Spec],
    names: tuple[str, ...],
    journal: str | bool,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    several, abstained, overcharged = len(asked) > 1, False, False
    async with engine:
        for at, one in enumerate(asked):
            found = await decided(one, engine, journal=journal)
            abstained |= found.choice is None
            overcharged |= bool(found.receipt.overcharged)
            if as_json:
                named = {"text": names[at]} if several else {}
                say_json({**named, **found.to_json()})
                continue
            _show(found, names[at] if several else "", quiet=quiet)
    return 1 if overcharged else ABSTAINED if abstained else 0


def _show(found: Decision, name: str, *, quiet: bool) -> None:
    head = f"{short(name, 200)}: " if name else ""
    if quiet:
        say(f"{head}{found.choice or 'abstained'}")
        return
    say(f"{head}{found.choice or f'abstained: {found.abstained}'}", bold=True)
    for choice, p in found.probabilities.items():
        say(f"  {p:.3f}  {choice}")
    if found.run:
        say(f"run {found.run} on {found.model}")
    shown.receipt(found.receipt)


def _texts(paths: tuple[str, ...]) -> list[str]:
    if paths.count("-") > 1:
        raise UsageError("--text - is given twice: standard input can be read once.")
    found = []
    for path in paths:
        if path != "-" and not Path(path).exists():
            raise UsageError(
                f"--text takes a file, and there is none named {short(path, 80)!r}: name a file "
                "with the text, or pipe the text in and say --text -."
            )
        text = _standard_input() if path == "-" else read_text(path)
        if not text.strip():
            raise UsageError(f"{path} is empty: it has no text to decide on.")
        found.append(text)
    return found


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("there is no text on standard input: pipe it in, or name a file.")
    return with_line_feeds(text_of(sys.stdin.buffer.read(), "standard input"))

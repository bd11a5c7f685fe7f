"""``ponder decide``."""

from __future__ import annotations

import asyncio
import math
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from ponder import api
from ponder.cli.options.lines import LABEL, Line, read_lines
from ponder.cli.options.numbers import TOKENS
from ponder.cli.options.once import Command
from ponder.cli.options.together import apart
from ponder.cli.output.terminal import say, say_json, short
from ponder.cli.output.voice import Voice
from ponder.cli.views import result as shown
from ponder.core.budget import Budget
from ponder.core.errors import PonderError, UsageError
from ponder.decision import Decision, decided, decided_all, wish
from ponder.planning.spec import Spec
from ponder.policies.decisions import RAREST, cross_entropy, fitted
from ponder.runtime.engine import Engine
from ponder.strategies.deciding.looking import MOST, Labels
from ponder.util.files import read_text, text_of, with_line_feeds

ABSTAINED = 3
"""Exit code if the model did not decide."""
KEPT = ("choice", "probabilities", "abstained", "mass", "run")
"""Fields of a decision that a line's row has."""
LEAST = 10
"""Fewest lines that a temperature is fitted to and judged on."""


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
    "--lines",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Decide on each line: a text, or a JSON object with a 'text'. Prints JSON Lines.",
)
@click.option(
    "--fit",
    is_flag=True,
    help="Fit --soften to the 'label' of half of the lines, and judge it on the others.",
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
@click.option("--max-tokens", type=TOKENS, help="Budget: prompt and completion tokens.")
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
    lines: Path | None,
    fit: bool,
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

    Each text is a run of its own, and a budget is for each; with --lines it is for all lines
    together. Exit codes: 0 decided, 3 abstained (for at least one of several texts), 1 a failed
    run, 2 wrong usage.
    """
    apart("--journal", journal, "--no-journal", no_journal)
    apart("--json", as_json, "--quiet", quiet)
    apart("--lines", lines, "--text", texts)
    if fit and not lines:
        raise UsageError("--fit needs labelled texts: give them with --lines FILE.")
    engine = Engine(teller=Voice(quiet))
    name = api.model_name(model, engine.config)
    labels = tuple(label.strip() for label in choices.split(",") if label.strip())
    budget = Budget(max_tokens, max_usd, max_flops, max_seconds)
    where: str | bool = journal or not no_journal
    made = partial(
        wish, question, choices=labels, model=name, knobs=knobs, budget=budget, system=system,
        seed=seed,
    )  # fmt: skip
    if lines:
        rows = read_lines(lines, labels if fit else ())
        asked = [made(line.text) for line in rows]
        if fit:
            if len(rows) < LEAST:
                raise UsageError(f"{lines} has {len(rows)} lines: --fit needs at least {LEAST}.")
            return asyncio.run(_fit(engine, rows, asked, where, quiet=quiet))
        return asyncio.run(_lines(engine, rows, asked, where, quiet=quiet))
    asked = [made(text) for text in (_texts(texts) or [""])]
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


async def _lines(
    engine: Engine,
    lines: Sequence[Line],
    asked: Sequence[Spec],
    journal: str | bool,
    *,
    quiet: bool,
) -> int:
    abstained, overcharged = False, False
    rest = iter(lines)
    async with engine:
        async for found in decided_all(asked, engine, journal):
            abstained |= found.choice is None
            overcharged |= bool(found.receipt.overcharged)
            line = next(rest)
            if quiet:
                say(found.choice or "abstained")
                continue
            whole = found.to_json()
            kept = {name: whole[name] for name in KEPT}
            say_json(line.to_json({**kept, "tokens": found.receipt.total.cost.tokens}))
    return 1 if overcharged else ABSTAINED if abstained else 0


async def _fit(
    engine: Engine,
    lines: Sequence[Line],
    asked: Sequence[Spec],
    journal: str | bool,
    *,
    quiet: bool,
) -> int:
    """Fit a temperature to every other line; print it, and what it does on the rest."""
    async with engine:
        found = [one async for one in decided_all(asked, engine, journal)]
    rows = [
        ([math.log(max(p, RAREST)) for p in one.probabilities.values()],
         [*one.probabilities].index(line.fields[LABEL]))
        for line, one in zip(lines, found, strict=True)
        if one.mass
    ]  # fmt: skip
    if len(rows) < LEAST:
        why = Counter(one.abstained for one in found if not one.mass).most_common(1)[0][0]
        raise PonderError(
            f"only {len(rows)} of {len(lines)} lines got probabilities, and --fit needs {LEAST}; "
            f"most others abstained: {why}."
        )
    (fit, right), (kept, judged) = (zip(*rows[start::2], strict=True) for start in (0, 1))
    times = fitted(fit, right)
    soften = times * asked[0].knobs["soften"]
    say(f"--soften {soften:.3g}" if quiet else f"--soften {soften:.3g}, fitted to {len(fit)} lines")
    if not quiet:
        before, after = (cross_entropy(kept, judged, t) for t in (1.0, times))
        say(f"cross-entropy on the other {len(kept)}: {after:.3f}, was {before:.3f}")
    return 0


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

"""``ponder report``: accuracy against compute from recorded samples, as one page."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ponder.cli.options.numbers import number_above_zero, numbers_above_zero, whole_numbers
from ponder.cli.options.once import Command
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say
from ponder.core.errors import MissingExtra, UsageError
from ponder.core.text.refs import texts

if TYPE_CHECKING:
    from ponder.experiments.report.values import Findings

_FILE = click.Path(path_type=Path)
_NEEDED = ("numpy", "scipy", "matplotlib")


@click.command(cls=Command)
@click.argument("paths", metavar="RESULTS_OR_POOL...", type=_FILE, nargs=-1, required=True)
@click.option(
    "-o", "--output", "output", type=_FILE, required=True, metavar="FILE", help="The page, HTML."
)
@click.option(
    "--by",
    default="majority",
    show_default=True,
    metavar="AGGREGATOR,...",
    help="For pools: of majority, best:SCORE, weighted:SCORE.",
)
@click.option(
    "--n", "sizes", metavar="N,...", help="For pools: numbers of samples.  [default: 1,2,4,...]"
)
@click.option(
    "--ratio",
    "ratios",
    metavar="R,...",
    help="Inference tokens per pretraining token, to count pretraining.  [default: 0.16,0.79,22]",
)
@click.option(
    "--usd-per-hour", metavar="USD", help="What an hour of the machine costs, if nothing says."
)
@click.option(
    "--learned",
    "cards",
    type=_FILE,
    multiple=True,
    metavar="CARD",
    help="A card.json of 'learn': says when learning has paid. Can be repeated.",
)
@click.option("--png", "pictures", type=_FILE, metavar="DIR", help="Each chart as a picture too.")
@click.option("--json", "numbers", type=_FILE, metavar="FILE", help="All numbers too.")
@click.option("--title", default="Accuracy against compute", help="Of the page.")
@click.option("--skip-broken", is_flag=True, help="Leave out broken lines of pools.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.pass_context
def report(
    context: click.Context,
    paths: tuple[Path, ...],
    output: Path,
    by: str,
    sizes: str | None,
    ratios: str | None,
    usd_per_hour: str | None,
    cards: tuple[Path, ...],
    pictures: Path | None,
    numbers: Path | None,
    title: str,
    skip_broken: bool,
    force: bool,
) -> None:
    """Write one page of curves and economics, from pools and results stores.

    \b
    ponder report small.jsonl large.jsonl -o report.html
    """
    try:
        from ponder.experiments.report import findings as making
        from ponder.experiments.report import learning
        from ponder.experiments.report import page as report_page
        from ponder.experiments.report.load import load
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise MissingExtra("report", "a report") from None
    asked = numbers_above_zero("--ratio", ratios) or making.RATIOS
    price = None if usd_per_hour is None else number_above_zero("--usd-per-hour", usd_per_hour)
    n = whole_numbers("--n", sizes) and sorted({1, *whole_numbers("--n", sizes)})
    _free([p for p in (output, numbers) if p is not None], force, paths)
    learned = [learning.read(card) for card in cards]
    read = load(paths, n=n, by=texts(by), skip_broken=skip_broken, dial=True)
    found = making.findings(
        read.series,
        ratios=asked,
        usd_per_hour=price,
        command=_command(context),
        rules=read.rules,
        stated=read.stated,
        learned=learned,
    )
    page = report_page.render(found, title)
    if pictures is not None:  # first: only this may still find an existing file
        _draw(found, pictures, force)
    if numbers is not None:
        _write(numbers, json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    _write(output, page)


def _command(context: click.Context) -> str:
    """Return the command as it was typed: given options, in their declared order."""
    words = ["ponder", "report"]
    for parameter in context.command.params:
        value, name = context.params[parameter.name or ""], max(parameter.opts, key=len)
        if isinstance(parameter, click.Argument):
            words += map(str, value)
        elif isinstance(value, tuple):
            words += [word for one in value for word in (name, str(one))]
        elif context.get_parameter_source(parameter.name or "").name == "COMMANDLINE":  # type: ignore[union-attr]
            words += [name] if value is True else [name, str(value)]
    return shlex.join(word for word in words if word != "--force")


def _free(files: Sequence[Path], force: bool, inputs: Sequence[Path]) -> None:
    if len({path.absolute() for path in files}) < len(files):
        raise UsageError("--output and --json are one file: give them different names.")
    for path in files:
        free(path, force, inputs=inputs)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    say(f"wrote {path}: {len(text.encode()) / 1000:,.0f} kB", err=True)


def _draw(found: Findings, folder: Path, force: bool) -> None:
    """Write every chart, or none if a file already exists."""
    from ponder.experiments.report import charts
    from ponder.experiments.report import figures as report_figures

    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--png: {folder} is a file: give the name of a folder.")
    drawn = [c for suite in found.suites for c in charts.draw(suite).all()]
    names = [folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', c.name)}.png" for c in drawn]
    for name in names:
        if name.exists() and not force:
            raise UsageError(f"{name} exists: choose another folder, or say --force.")
    folder.mkdir(parents=True, exist_ok=True)
    for chart, name in zip(drawn, names, strict=True):
        name.write_bytes(report_figures.png(chart))
    say(f"wrote {folder}: {len(names)} charts", err=True)

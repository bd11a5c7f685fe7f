"""``ponder learn sft``: a model taught by chains that a verifier passed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

import click

from ponder import api
from ponder.cli.commands.solve import knob_values
from ponder.cli.learning.teaching import WITHOUT_EXAMPLES, names, outcome, tell_made, tell_waiting
from ponder.cli.options.data import DATA
from ponder.cli.options.numbers import ABOVE_ZERO, Finite
from ponder.cli.options.once import Command
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.bar import Bar
from ponder.cli.output.terminal import say, say_json
from ponder.cli.output.voice import Voice
from ponder.core.errors import UsageError
from ponder.core.text.refs import texts
from ponder.learning.rows.picking import PICKS, Choice, Pick
from ponder.learning.sft import rounds as sft
from ponder.learning.sft.searching import Search
from ponder.learning.sft.settings import PRECISIONS, Precision, Settings
from ponder.models import config as configuration
from ponder.models import learned
from ponder.models.catalog import Entry
from ponder.models.config import Config, EndpointConfig
from ponder.models.names import SimulatedWorld, resolve
from ponder.models.opening import pulled
from ponder.planning import presets
from ponder.runtime.engine import Engine
from ponder.util.files import placed

_FILE = click.Path(path_type=Path)
_COUNT = click.IntRange(1)
_USUAL = Settings()
_SEARCHING = ("verifier", "limit", "not_in")
"""Options that belong to a search and have no default."""


@click.command(cls=Command)
@click.argument("data", metavar="[DATA]...", nargs=-1, type=_FILE)
@names
@click.option("--suite", metavar="SUITE", help="Search this suite's problems for rows.")
@click.option("--limit", type=_COUNT, help="Only so many of its problems.")
@click.option("--every", default=1, type=_COUNT, metavar="K", help="Every k-th of them.")
@click.option("--verifier", metavar="NAME", help="The score that decides, as in export.")
@click.option("--at-least", type=Finite(0, 1), default=1.0, show_default=True, metavar="SCORE")
@click.option("--n", default=16, show_default=True, type=_COUNT, help="Samples of each, a round.")
@click.option("--rounds", default=2, show_default=True, type=_COUNT, help="Searches and trainings.")
@click.option(
    "--from",
    "start",
    type=click.Choice(sft.STARTS),
    default="base",
    show_default=True,
    help="Weights from which a round trains: the base's, or those of the round before.",
)
@click.option("--pick", type=click.Choice(PICKS), default="shortest", show_default=True)
@click.option("--most", type=_COUNT, default=4, show_default=True, help="Most rows of a problem.")
@click.option("--any-steps", is_flag=True, help="As in export.")
@WITHOUT_EXAMPLES
@click.option("--not-in", metavar="SUITE,...", help="Leave out what these suites ask, or nearly.")
@click.option("--set", "knobs", multiple=True, metavar="KNOB=VALUE", help="As in pool record.")
@DATA
@click.option(
    "--holdout",
    type=Finite(0, 1, max_open=True),
    default=0.0,
    metavar="FRACTION",
    help="Share of problems that are not learned, but measured.",
)
@click.option("--rank", default=_USUAL.rank, show_default=True, type=_COUNT, help="Of adapters.")
@click.option("--alpha", default=_USUAL.alpha, show_default=True, type=_COUNT, help="Their scale.")
@click.option(
    "--rate", default=_USUAL.rate, show_default=True, type=ABOVE_ZERO, help="Of learning."
)
@click.option("--epochs", default=_USUAL.epochs, show_default=True, type=_COUNT)
@click.option(
    "--batch", default=_USUAL.batch, show_default=True, type=_COUNT, help="Step's tokens."
)
@click.option(
    "--longest",
    default=_USUAL.longest,
    show_default=True,
    type=_COUNT,
    metavar="TOKENS",
    help="Rows of more tokens are left out.",
)
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default=_USUAL.precision, show_default=True
)
@outcome
@UNSAFE
def train(
    data: tuple[Path, ...],
    model: str | None,
    name: str,
    output: Path | None,
    holdout: float,
    force: bool,
    as_json: bool,
    quiet: bool,
    unsafe: bool,
    rounds: int,
    start: str,
    **rest: Any,
) -> None:
    """Teach a model by chains that a verifier passed: rejection sampling.

    DATA are rows of 'ponder learn export --format sft'. Or --suite and --verifier: then each round
    samples the suite's problems, keeps what the verifier passes, and trains. The same command goes
    on from where it ended.
    """
    quiet = quiet or as_json
    if bool(data) == bool(rest["suite"]):
        raise UsageError(
            "what is to be learned? Give files of rows, or --suite and --verifier to search for "
            "them."
        )
    if not learned.is_name(name):
        raise UsageError(
            f"--name: expected small letters, digits, dots and dashes, such as countdown-2, not "
            f"{name!r}."
        )
    names = ("rank", "alpha", "rate", "epochs", "batch", "longest", "seed")
    settings = Settings(
        **{key: rest[key] for key in names}, precision=cast(Precision, rest["precision"])
    )
    search = _search(rest) if rest["suite"] else None
    if search is None and (given := [key for key in _SEARCHING if rest[key] is not None]):
        raise UsageError(
            f"--{given[0].replace('_', '-')} belongs to a search with --suite: rows are chosen "
            "when they are exported."
        )

    def engine() -> Engine:
        return Engine(teller=Voice(quiet), unsafe=unsafe)

    config = configuration.load()
    opened = api.model_name(model, config)
    path, listed = _base(opened, config, Voice(quiet))
    base = opened if listed else path.stem
    full_name = f"{base}+{name}"
    file = path.with_name(f"{full_name}.gguf")
    folder = output or learned.working_folder(file)
    made = file if listed else folder / "card.json"
    if made.exists() and not force:
        raise UsageError(f"{made} exists: choose another name, or say --force.")
    asked = sft.Learning(
        full_name, opened, path, folder, settings, holdout, data, search, rounds if search else 1,
        cast(sft.Start, start),
    )  # fmt: skip
    try:
        with ExitStack() as open_bars:
            done = sft.learn(asked, engine, _shown(quiet, open_bars), partial(tell_waiting, folder))
    except KeyboardInterrupt:
        say(f"what is done is in {folder}; the same command goes on from there", err=True)
        raise click.Abort from None
    if listed:
        learned.add(base, name, partial(placed, done.model), done.card)
    if as_json:
        say_json(done.card)
    elif not quiet:
        _tell(full_name if listed else str(done.model), folder, done.card)


def _search(rest: dict[str, Any]) -> Search:
    if rest["verifier"] is None:
        raise UsageError(
            "which verifier's score decides? Name one with --verifier, such as arithmetic, "
            "execution or agreement; see docs/learn.md."
        )
    sampling, style = presets.drawing(knob_values(rest["knobs"]))
    choice = Choice(
        rest["verifier"], rest["at_least"], cast(Pick, rest["pick"]), rest["most"], rest["seed"],
        rest["any_steps"],
    )  # fmt: skip
    not_in = texts(rest["not_in"]) if rest["not_in"] else []
    return Search(
        rest["suite"], choice, rest["n"], rest["limit"], rest["every"], sampling, style,
        rest["without_examples"], not_in, rest["folder"],
    )  # fmt: skip


def _base(name: str, config: Config, voice: Voice) -> tuple[Path, bool]:
    """Return the file of the model to start from, which is pulled if need be; and True if what it
    learns is listed beside it, as of a model of the catalogue.

    Raises:
        UsageError: its weights are not on this machine.
    """
    found = resolve(name, config)
    if isinstance(found, EndpointConfig | SimulatedWorld):
        raise UsageError(
            f"{name} cannot be trained: its weights are not on this machine; name a model of "
            "'ponder models list' or a GGUF file."
        )
    if not isinstance(found, Entry):
        return found.path.absolute(), False
    return pulled(found, voice).absolute(), not found.name.startswith("hf:")


def _shown(quiet: bool, bars: ExitStack) -> Callable[[sft.Told], None]:
    """Return a function that shows progress, each stage of each round in a bar of its own."""
    shown: dict[str, Bar] = {}

    def tell(told: sft.Told) -> None:
        title = f"round {told.round}, {told.stage}"
        if title not in shown:
            bars.close()
            shown[title] = bars.enter_context(Bar(title, quiet))
        shown[title].advance(told.done, told.of, told.before, told.note)

    return tell


def _tell(name: str, folder: Path, card: Any) -> None:
    for one in card["rounds"]:
        trained, rows = one["training"], one["training"]["rows"]
        if "search" in one:
            verifier, count = card["search"]["verifier"], one["search"]["learned"]
            say(
                f"round {one['round']}: {verifier} passed {count['passed']:,} of "
                f"{count['samples']:,} samples, of {count['solved']:,} of {count['problems']:,} "
                "problems",
                err=True,
            )
        left = f", {rows['too_long']:,} too long" if rows["too_long"] else ""
        losses = trained["losses"]
        say(
            f"round {one['round']}: learned {rows['learned']:,} rows{left}, "
            f"{trained['tokens']['learned']:,} tokens, in {trained['steps']:,} steps; loss "
            f"{losses[0]:.3f} to {losses[-1]:.3f}",
            err=True,
        )
    tell_made(name, folder, card)

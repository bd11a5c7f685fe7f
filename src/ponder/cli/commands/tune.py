"""``ponder tune``: efforts fitted to recorded samples of a user's own problems."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ponder.cli.options.once import Command
from ponder.cli.output.files import free
from ponder.cli.output.tables import table
from ponder.cli.output.terminal import say, say_json, show
from ponder.core.errors import MissingExtra, UsageError
from ponder.planning.plans import to_toml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ponder.experiments.tuning.fitting import Level, Tuned
    from ponder.experiments.tuning.samples import Recorded

_FILE = click.Path(path_type=Path)
_UNITS = ("usd", "flops", "tokens", "seconds")
_ALL = "exact"  # the rule of the fixed votes that the table shows


@click.command(cls=Command)
@click.argument("paths", metavar="POOL...", type=_FILE, nargs=-1, required=True)
@click.option(
    "-o", "--output", type=_FILE, required=True, metavar="FILE", help="Where to write the plans."
)
@click.option(
    "--judge",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0.05, 0.95),
    help="Share of the problems that nothing is fitted to.",
)
@click.option(
    "--unit",
    type=click.Choice(_UNITS),
    help="What a sample's price is counted in; by default the first that all pools know.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the split.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def tune(
    paths: tuple[Path, ...],
    output: Path,
    judge: float,
    unit: str | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Fit what each effort does to graded POOLs of the same problems, and judge it on the others.

    Several pools may be of several models, or of one model asked in several ways.
    """
    try:
        from ponder.experiments.tuning import fitting, report, samples
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingExtra("experiments", "fitting plans") from None
    free(output, force, inputs=paths)
    pools, priced = samples.read(paths, unit or "")
    made = time.strftime("%Y-%m-%d", time.gmtime())
    tuned = fitting.tune(pools, priced, made, share=judge, seed=seed)
    plans, remarks = fitting.plans(tuned, pools, seed)
    try:
        output.write_text(to_toml(plans, remarks), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}.") from None
    if as_json:
        say_json(report.to_json(tuned, pools))
    else:
        _print(tuned, pools)
    say(f"wrote {output}: use it with 'ponder solve --plans {output}'", err=True)


def _distinct(tuned: Tuned) -> list[Level]:
    """Return the levels without those of an effort with the same plans as the one below it."""
    chosen = {one.name: one.chosen.plan for one in tuned.efforts}
    kept = {(one.name, chosen[one.effort], one.own): one for one in reversed(tuned.levels)}
    return [one for one in tuned.levels if one in kept.values()]


def _print(tuned: Tuned, pools: Sequence[Recorded]) -> None:
    say(
        f"fitted to {tuned.fitted} problems, judged on {tuned.judged} others; cost in "
        f"{tuned.unit}, as multiples of one sample of the cheapest pool ({tuned.sample:.4g})"
    )
    rows = [
        {
            "effort": one.name,
            "plan": one.chosen.plan.named(pools),
            "right": f"{one.chosen.accuracy:.3f}",
            "95 % interval": f"{one.chosen.low:.3f} to {one.chosen.high:.3f}",
            "cost": f"{one.chosen.cost / tuned.sample:.2f}",
            "regret": f"{one.regret.difference:.3f}",
            "oracle": f"{one.oracle:.3f}",
        }
        for one in tuned.efforts
    ]
    show(table(rows, right={"right", "95 % interval", "cost", "regret", "oracle"}))
    say(
        "regret: what the best of these plans for the judged problems would have gained; oracle: "
        "right if the best were known for each problem"
    )
    say()
    say("fixed votes on the judged problems, beside the lowest effort that could afford them:")
    votes = [row for row in tuned.table if row.plan.stop == _ALL]
    fixed = []
    for row in votes:
        against = next((one for one in tuned.efforts if row.plan in one.against), None)
        cells = {
            "plan": row.plan.named(pools),
            "right": f"{row.accuracy:.3f}",
            "95 % interval": f"{row.low:.3f} to {row.high:.3f}",
            "cost": f"{row.cost / tuned.sample:.2f}",
        }
        if against is not None:
            gain = against.against[row.plan]
            cells["effort"] = against.name
            cells["effort - plan"] = f"{gain.difference:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        fixed.append(cells)
    show(table(fixed, right={"right", "95 % interval", "cost", "effort - plan"}))
    if not tuned.levels:
        return
    say()
    say("by difficulty, which the samples tell that the plans are not judged on:")
    levels = [
        {
            "difficulty": one.name,
            "effort": one.effort,
            "problems": str(one.problems),
            "right": f"{one.accuracy:.3f}",
            "plan for these alone": one.own.named(pools),
            "its right": f"{one.own_accuracy:.3f}",
        }
        for one in _distinct(tuned)
    ]
    show(table(levels, right={"problems", "right", "its right"}))

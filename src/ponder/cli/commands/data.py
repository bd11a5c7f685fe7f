"""``ponder data``: the benchmark suites, and their problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ponder.cli.options.once import Group
from ponder.cli.output import terminal
from ponder.cli.output.tables import table
from ponder.cli.output.terminal import say, say_json, say_text
from ponder.core.errors import UsageError
from ponder.experiments.suites.base import Item, data_folder
from ponder.experiments.suites.registry import SUITES, find

_FOLDER = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder of benchmark data.  [default: $PONDER_DATA]",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


@click.group(cls=Group)
def data() -> None:
    """List benchmark suites and show their problems."""


@data.command("list")
@_FOLDER
@_JSON
def list_suites(folder: Path | None, as_json: bool) -> None:
    """Show every suite, and whether its rows are in the data folder."""
    try:
        folder = data_folder(folder)
    except UsageError:
        if folder is not None:
            raise
    here = {
        name: folder is not None and all((folder / file).is_file() for file in suite.where)
        for name, suite in SUITES.items()
    }
    if as_json:
        rows = [
            {
                "name": suite.name,
                "summary": suite.summary,
                "rows": suite.rows,
                "grading": suite.grading,
                "licence": suite.licence,
                "source": suite.source,
                "files": list(suite.where),
                "here": here[name],
            }
            for name, suite in SUITES.items()
        ]
        say_json(rows, indent=2)
        return
    shown = [
        {
            "suite": name,
            "rows": f"{suite.rows:,}",
            "about": suite.summary,
            "graded": suite.grading,
            "licence": suite.licence,
            "": "here" if here[name] else "absent",
        }
        for name, suite in SUITES.items()
    ]
    terminal.show(table(shown, right=("rows",)))
    if folder is None:
        say("no data folder is known: name it with --data DIR, or set PONDER_DATA", err=True)


@data.command()
@click.argument("suite")
@click.option("--index", type=click.IntRange(0), help="Only the problem at this position, from 0.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="At most so many problems.",
)
@click.option("--gold", is_flag=True, help="Show the reference, too.")
@_FOLDER
@_JSON
def show(
    suite: str, index: int | None, limit: int, gold: bool, folder: Path | None, as_json: bool
) -> None:
    """Show problems of SUITE as a model gets them.

    SUITE is a name, a part such as bbh/navigate, a file such as items.jsonl or
    'items.jsonl(question=q, answer=a)', a task such as 'gym(chain_sum, seed=7)', or
    'hf(OWNER/NAME, split=test)'.
    """
    found = find(suite)
    items = found.load(folder)
    if index is not None and index >= len(items):
        raise UsageError(
            f"{found.name} has {len(items):,} problems: expected an index from 0 to "
            f"{len(items) - 1}, not {index}."
        )
    shown = items[:limit] if index is None else items[index : index + 1]
    if as_json:
        say_json([_as_json(item, gold) for item in shown], indent=2)
        return
    for item in shown:
        level = "" if item.level is None else f", level {item.level}"
        say(f"{item.problem_id} ({item.problem.answer_type}{level})", bold=True)
        say_text("\n\n".join(m.content for m in item.problem.shown))
        if gold:
            told = item.gold.to_json()
            say_text(f"gold: {told if isinstance(told, str) else json.dumps(told)}")
        say()
    if len(shown) < len(items):
        say(f"{len(shown)} of {len(items):,} problems of {found.name}", err=True)


def _as_json(item: Item, gold: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "problem_id": item.problem_id,
        "level": item.level,
        "problem": item.problem.describe(),
    }
    return told | ({"gold": item.gold.to_json()} if gold else {})

"""``ponder runs``: what the journal holds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import click

from ponder import api
from ponder._version import __version__
from ponder.answers.extract import instruction
from ponder.cli import tree, tree_view, view
from ponder.cli.output import free
from ponder.cli.solve import present
from ponder.cli.voice import Voice, tell_of_person
from ponder.core.errors import UsageError
from ponder.core.events import Subscriber
from ponder.core.problem import Message
from ponder.planning.spec import Spec
from ponder.runtime.journal import Journal
from ponder.runtime.records import RunRow
from ponder.runtime.runner import Runner

_JOURNAL = click.option("--journal", metavar="PATH", help="Instead of the default journal.")
_MAKERS = {".html": tree_view.page, ".mmd": tree_view.mermaid}


@click.group()
def runs() -> None:
    """List, show, resume and remove recorded runs."""


_MESSAGES = (Message("user", "?"),)  # the instruction follows from the rest of a problem


@contextmanager
def _open(path: str | None) -> Iterator[Journal]:
    journal = Journal(path or api.journal_path())
    try:
        yield journal
    finally:
        journal.close()


def _summary(row: RunRow) -> dict[str, object]:
    strategy, model = str(row.spec.get("kind", "")), str(row.spec.get("model", ""))
    question = f"the suite {row.spec.get('suite')}"  # a recording: many problems in one run
    try:
        if asked := _asked(row):
            strategy, model = asked.strategy, asked.model
            told = replace(asked.problem, messages=_MESSAGES)
            question = asked.problem.messages[-1].content.removesuffix(instruction(told))
    except UsageError as error:  # one damaged row hides no others
        question = f"({error})"
    return {
        "run": row.id,
        "created": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.created)),
        "state": row.state,
        "model": model,
        "strategy": strategy,
        "answer": row.result.get("answer") if row.result else None,
        "question": question.strip(),
    }


@runs.command("list")
@_JOURNAL
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), help="Newest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(journal: str | None, limit: int, as_json: bool) -> None:
    """List recorded runs, newest first."""
    with _open(journal) as book:
        rows = [_summary(row) for row in book.runs()[:limit]]
    if as_json:
        click.echo(json.dumps(rows))
    elif rows:
        view.table(rows)
    else:
        click.echo("no runs are recorded yet: ponder solve records them.", err=True)


@runs.command()
@click.argument("run")
@_JOURNAL
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--tree", "as_tree", is_flag=True, help="Print what was continued, visited, pruned.")
@click.option(
    "--export",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write that tree: a page (.html), or Mermaid (.mmd).",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def show(
    run: str, journal: str | None, as_json: bool, as_tree: bool, export: Path | None, force: bool
) -> None:
    """Show one run: its question, its samples, its result."""
    if as_json and (as_tree or export is not None):
        raise UsageError("--json goes with neither --tree nor --export: give it without them.")
    if export is not None:
        if export.suffix not in _MAKERS:
            raise UsageError(f"--export writes FILE.html or FILE.mmd, not {export.name!r}.")
        free(export, force, inputs=[Path(journal or api.journal_path())])
    with _open(journal) as book:
        row = book.run(run)
        calls = book.calls(row.id)
    if as_tree or export is not None:
        title = str(_summary(row)["question"])
        roots = tree.branches(calls, _asked(row), (row.result or {}).get("chosen") or "")
        if export is not None:
            _export(export, title, roots)
        if as_tree:
            view.show(tree_view.drawn(title, roots))
        return
    if as_json:
        shown = [
            {
                "path": c.path,
                **c.effect,
                "lost": c.lost,
                "result": c.result,
                "spent": c.spent.to_json() if c.spent else None,
            }
            for c in calls
        ]
        click.echo(
            json.dumps({**_summary(row), "spec": row.spec, "result": row.result, "calls": shown})
        )
    else:
        view.run(_summary(row), calls, row.result)


def _asked(row: RunRow) -> Spec | None:
    """What was asked for, whichever version wrote it down; None of a recording."""
    if "problem" not in row.spec:
        return None
    return Spec.from_json({**row.spec, "version": __version__})


def _export(path: Path, title: str, roots: Sequence[tree.Branch]) -> None:
    text = _MAKERS[path.suffix](title, roots)
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}.") from None
    click.echo(f"wrote {path}", err=True)
    if path.suffix == ".mmd" and len(text) > tree_view.MERMAID:
        click.echo(
            f"Mermaid draws no more than {tree_view.MERMAID:,} characters unless maxTextSize is "
            f"raised, and these are {len(text):,}: a .html page shows a tree of any size.",
            err=True,
        )


@runs.command()
@click.argument("run")
@_JOURNAL
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--show-trace", is_flag=True, help="Print the reasoning behind the answer.")
@click.option("-q", "--quiet", is_flag=True, help="Print the answer alone.")
@click.option(
    "--trust",
    multiple=True,
    metavar="NAME",
    help="A script, file or model that the run may use though only its journal names it.",
)
def resume(
    run: str,
    journal: str | None,
    as_json: bool,
    show_trace: bool,
    quiet: bool,
    trust: tuple[str, ...],
) -> int:
    """Take up a run that was cut off; what is recorded is not paid for again."""

    def prepare(publish: Subscriber) -> AbstractAsyncContextManager[Runner]:
        ready = api.resuming(
            run, journal=journal or True, trust=trust, publish=publish, teller=Voice(quiet)
        )
        if not (quiet or as_json):
            with _open(journal) as book:
                tell_of_person(str(book.run(run).spec.get("verifier") or ""))
        return ready

    return present(prepare, as_json=as_json, show_trace=show_trace, quiet=quiet)


@runs.command()
@click.argument("run", nargs=-1, required=True)
@_JOURNAL
def rm(run: tuple[str, ...], journal: str | None) -> None:
    """Forget runs."""
    with _open(journal) as book:
        for row in {row.id: row for row in map(book.run, run)}.values():
            book.claim(row.id)  # nobody may be working on it
            book.remove(row.id)
            click.echo(f"removed {row.id}", err=True)

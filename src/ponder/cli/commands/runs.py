"""``ponder runs``: the runs in the journal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import click

from ponder import api
from ponder._version import __version__
from ponder.cli.commands.solve import present
from ponder.cli.options.once import Group
from ponder.cli.options.together import apart, needs
from ponder.cli.output import terminal
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say, say_json, short
from ponder.cli.output.voice import Voice, tell_of_person
from ponder.cli.tree import mermaid
from ponder.cli.tree.picture import Picture, picture
from ponder.cli.tree.terminal import MOST, Drawing
from ponder.cli.views import runs as view
from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem
from ponder.core.record.events import Subscriber
from ponder.core.record.search import Tree
from ponder.core.record.steering import AT_A_NODE, KINDS, Action
from ponder.planning.spec import Spec
from ponder.runtime import history
from ponder.runtime.engine import Engine
from ponder.runtime.journal import Journal
from ponder.runtime.records import GOING_ON, RunRow
from ponder.runtime.runner import Runner
from ponder.strategies import registry

_JOURNAL = click.option("--journal", metavar="PATH", help="Instead of the default journal.")
_SUFFIXES = (".html", ".mmd")


@click.group(cls=Group)
def runs() -> None:
    """List, show, resume and remove recorded runs."""


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
    if strategy == "batch":
        question = f"{row.spec.get('questions')} questions"
    try:
        if asked := _asked(row):
            strategy, model = asked.strategy, asked.model
            question = asked.problem.messages[-1].content
    except UsageError as error:  # a damaged row must not hide the others
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
        say_json(rows)
    elif rows:
        view.table(rows)
    else:
        say("no runs are recorded yet: ponder solve records them.", err=True)


@runs.command()
@click.argument("run")
@_JOURNAL
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--tree", "as_tree", is_flag=True, help="Print what was continued, visited, dropped.")
@click.option("--all", "whole", is_flag=True, help="Print every branch of the tree, however many.")
@click.option(
    "--export",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write that tree: a page (.html), or Mermaid (.mmd).",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def show(
    run: str,
    journal: str | None,
    as_json: bool,
    as_tree: bool,
    whole: bool,
    export: Path | None,
    force: bool,
) -> None:
    """Show one run: its question, its samples, its result."""
    if as_json and (as_tree or export is not None):
        raise UsageError("--json goes with neither --tree nor --export: give it without them.")
    needs("--all", whole, "--tree", as_tree)
    needs("--force", force, "--export", export)
    if export is not None:
        if export.suffix not in _SUFFIXES:
            raise UsageError(f"--export writes FILE.html or FILE.mmd, not {export.name!r}.")
        free(export, force, inputs=[Path(journal or api.journal_path())])
    with _open(journal) as book:
        row = book.run(run)
        calls = book.calls(row.id)
        found = _tree(book, row) if as_tree or export is not None else None
    if found is not None:
        summary = _summary(row)
        answer = None if summary["answer"] is None else str(summary["answer"])
        shown_tree = picture(found, str(summary["question"]), answer)
        if export is not None:
            _export(export, shown_tree)
        if as_tree:
            drawing = Drawing(shown_tree, None if whole else MOST)
            terminal.show(drawing, elsewhere=terminal.WIDE)
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
        say_json({**_summary(row), "spec": row.spec, "result": row.result, "calls": shown})
    else:
        view.run(_summary(row), calls, row.result)


_MANY = Problem((Message("user", "?"),))
"""Stands for the problems of a recording."""


def _tree(book: Journal, row: RunRow) -> Tree:
    """Return the search tree of a run as recorded so far."""
    asked = _asked(row)
    problem = asked.problem if asked else _MANY
    return history.tree(problem, book.calls(row.id), book.decisions(row.id))


def _asked(row: RunRow) -> Spec | None:
    """Return the run's request, whatever version recorded it; None for a recording."""
    if "problem" not in row.spec:
        return None
    return Spec.from_json({**row.spec, "version": __version__})


def _export(path: Path, shown: Picture) -> None:
    from ponder.cli.tree.page import page  # Jinja2 takes as long as all the rest of this command

    if path.suffix == ".mmd":
        text, left_out = mermaid.flowchart(shown)
    else:
        text, left_out = page(shown), 0
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}.") from None
    say(f"wrote {path}", err=True)
    if left_out:
        say(
            f"Mermaid draws no more than {mermaid.CHARACTERS:,} characters and "
            f"{mermaid.EDGES} edges, so {left_out:,} branches are counted but not drawn: a .html "
            "page shows a tree of any size.",
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
    """Continue an interrupted run. Recorded samples are not paid for again."""
    apart("--json", as_json, "--quiet", quiet)
    apart("--json", as_json, "--show-trace", show_trace)
    engine = Engine(teller=Voice(quiet))

    def prepare(publish: Subscriber) -> AbstractAsyncContextManager[Runner]:
        ready = api.resuming(run, engine, journal=journal or True, trust=trust, publish=publish)
        if not (quiet or as_json):
            with _open(journal) as book:
                tell_of_person(str(book.run(run).spec.get("verifier") or ""))
        return ready

    return present(engine, prepare, as_json=as_json, show_trace=show_trace, quiet=quiet)


@runs.command()
@click.argument("run")
@click.argument("action", type=click.Choice(KINDS))
@click.argument("words", nargs=-1)
@_JOURNAL
@click.option("--by", default="", metavar="NAME", help="Who does it, for the record.")
@click.option("--wait", is_flag=True, help="Wait until the run has taken it, or has ended.")
def steer(
    run: str, action: str, words: tuple[str, ...], journal: str | None, by: str, wait: bool
) -> int:
    """Steer a run in progress from another terminal.

    \b
    prune NODE         drop a node, with all beneath it
    pin NODE           keep a node, whatever its score
    edit NODE TEXT     replace its text
    hint TEXT          add a remark that all later steps see
    more [NODE] COUNT  add branches at a node, or samples
    accept NODE        take its answer as the result
    pause, resume      pause the run, and continue it

    NODE is the id that 'ponder runs show RUN --tree' prints. The run takes an action at its next
    step, and records it: an interrupted steered run, once resumed, reaches the same end.
    """
    wanted = _action(action, words, by)
    with _open(journal) as book:
        row = book.run(run)
        if row.state not in GOING_ON:
            raise UsageError(
                f"run {row.id} is {row.state}, not running: only a run in progress can be steered."
            )
        if wanted.node and wanted.node not in _tree(book, row):
            raise UsageError(
                f"run {row.id} has no node {short(wanted.node)!r}: give an id that 'ponder "
                f"runs show {row.id} --tree' prints."
            )
        asked = _asked(row)
        stepwise = asked is not None and registry.choose(asked.strategy, asked.knobs).stepwise
        if wanted.kind == "more" and not wanted.node and stepwise:
            raise UsageError(
                "more needs a node of a search over steps: give its id before the count, as in "
                "'more 0.1.0 4'."
            )
        number = book.send(row.id, wanted)
        state, why = book.action(number)
        while wait and state == "pending":
            time.sleep(_POLL)
            state, why = book.action(number)
    taken = {"pending": "accepted: the run takes it at its next step", "applied": "applied"}
    say(taken.get(state, f"not applied: {why}"), err=True)
    return 0 if state in taken else 1


_POLL = 0.1
"""Seconds between two checks if an action was taken."""


def _action(kind: str, words: Sequence[str], by: str) -> Action:
    """Return the action that the words of the command line spell.

    Raises:
        UsageError: they are too few, too many, or make no sense.
    """
    node = text = ""
    count = 0
    left = list(words)
    if kind in AT_A_NODE or (kind == "more" and len(left) > 1):
        node = left.pop(0) if left else ""
    if kind in ("edit", "hint"):
        text, left = " ".join(left), []
    elif kind == "more" and left:
        number = left.pop(0)
        if not number.isdecimal():
            raise UsageError(
                f"more needs a whole number of branches, as in 'more 4' or 'more NODE 4', not "
                f"{number!r}."
            )
        count = int(number[:9])
    if left:
        raise UsageError(f"{kind} takes no {left[0]!r}: see 'ponder runs steer --help'.")
    chosen = next(one for one in KINDS if one == kind)
    return Action(chosen, node, text, count, by)


@runs.command()
@click.argument("run", nargs=-1, required=True)
@_JOURNAL
def rm(run: tuple[str, ...], journal: str | None) -> None:
    """Delete runs."""
    with _open(journal) as book:
        for row in {row.id: row for row in map(book.run, run)}.values():
            book.claim(row.id)  # no process may be working on it
            book.remove(row.id)
            say(f"removed {row.id}", err=True)

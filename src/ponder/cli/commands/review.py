"""``ponder review``: a person judges the candidates that runs wait for."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table

from ponder.cli.options.once import Command
from ponder.cli.options.together import apart, needs
from ponder.cli.output import terminal
from ponder.cli.output.files import free
from ponder.cli.output.terminal import VisibleConsole, say, say_json, say_text, short, text
from ponder.cli.views import runs
from ponder.core.errors import UsageError
from ponder.experiments.pools import file as pools
from ponder.experiments.training.reviews import labelled
from ponder.util.files import MARK
from ponder.verifiers.human.verifier import How, Item, Judgement, Queue

_FILE = click.Path(path_type=Path)
_NARROW = 36  # least characters of a column; narrower candidates are stacked
_KEYS = 9  # most choices that take a single key
_HELP = """\
  1, 2, ...  this one is the best: it gets 1, and the others 0
  g          grade each from 1 (wrong) to 5 (right); 'g 5 1 3' in one line
  n          none is good: all get 0
  c          say why; 'c it proves it' in one line
  s          skip it for now
  q          quit
"""


class Desk:
    """Reads commands: keys of a terminal, or else lines of standard input."""

    def __init__(self) -> None:
        self.terminal = sys.stdin.isatty()

    def command(self, prompt: str, *, keys: bool) -> str:
        """Return one key, or one line.

        Raises:
            EOFError: there is no more.
        """
        if not (self.terminal and keys):
            return self.line(prompt)
        say(f"{prompt}> ", end="")
        key = click.getchar()
        say(key if key.isprintable() else "")
        if key in ("\x04", "\x1a"):
            raise EOFError
        return key.strip()

    def line(self, prompt: str) -> str:
        """Return one line.

        Raises:
            EOFError: there is no more.
        """
        if self.terminal:
            say(f"{prompt}> ", end="")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.removeprefix(MARK).strip()


@click.command(cls=Command)
@click.option("--queue", "path", type=_FILE, metavar="PATH", help="Instead of the default queue.")
@click.option("--list", "listing", is_flag=True, help="Show what waits, and since when.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON.")
@click.option("--once", is_flag=True, help="End when nothing waits any more.")
@click.option("--drop", is_flag=True, help="Forget what no run waits for any more.")
@click.option("--export", type=_FILE, metavar="POOL", help="Write what was judged as a pool.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def review(
    path: Path | None,
    listing: bool,
    as_json: bool,
    once: bool,
    drop: bool,
    export: Path | None,
    force: bool,
) -> None:
    """Judge the candidates that runs with '--verifier human' wait for, one item after the other.

    On a terminal single keys are commands, and the command keeps waiting for new items. Otherwise
    commands are lines of standard input, and it stops at their end.

    \b
    1, 2, ...  the best one          n  none is good     s  skip it
    g          grade each, 1 to 5    c  say why          q  quit
    """
    needs("--json", as_json, "--list", listing)
    needs("--force", force, "--export", export)
    if listing + drop + (export is not None) > 1:
        raise UsageError("--list, --drop and --export exclude each other: give one of them.")
    apart("--once", once, "--list, --drop or --export", listing or drop or export)
    queue = Queue(path)
    if listing:
        _list(queue, as_json)
    elif drop:
        say(f"dropped {queue.drop()}", err=True)
    elif export is not None:
        _export(queue, export, force)
    else:
        Review(queue, Desk()).go(once=once)


# Judging ------------------------------------------------------------------------------------------


class Review:
    """One person at work on a queue. ``pause`` waits until the next look at the queue."""

    def __init__(
        self,
        queue: Queue,
        desk: Desk,
        pause: Callable[[], None] = lambda: time.sleep(1),
        console: VisibleConsole | None = None,
    ) -> None:
        self._queue, self._desk, self._pause = queue, desk, pause
        self._console = console or terminal.console()
        self._skipped: set[str] = set()
        self._judged = self._bad = 0

    def go(self, *, once: bool) -> None:
        """Show item after item, until the person quits.

        Raises:
            UsageError: a command was not understood, and nobody is there to repeat it.
        """
        try:
            for item in self._items(once):
                said = self._judge(item)
                if said is None:
                    self._skipped.add(item.key)
                elif self._queue.judge(item.key, said):
                    self._judged += 1
                else:
                    say("somebody else has judged it meanwhile")
        except EOFError:
            pass
        if self._bad and not (self._judged or self._desk.terminal):
            raise UsageError(
                f"nothing was judged, and {self._bad} line{'s' * (self._bad > 1)} of standard "
                "input not understood: 'ponder review --help' has the commands."
            )
        say(f"judged {self._judged}", err=True)

    def _items(self, once: bool) -> Iterator[Item]:
        told = False
        while True:
            waiting = [i for i in self._queue.waiting() if i.key not in self._skipped]
            if waiting:
                told = False
                yield waiting[0]
                continue
            if once or not self._desk.terminal:
                return
            if not told:
                say("nothing waits; looking again until something does (Ctrl-C ends)")
                told = True
            self._pause()

    def _judge(self, item: Item) -> Judgement | None:
        """Return the person's judgement; None to skip the item."""
        groups = item.groups
        self._show(item)
        comment, prompt = "", _prompt(len(groups))
        while True:
            told = self._desk.command(prompt, keys=len(groups) <= _KEYS)
            word, _, rest = told.partition(" ")
            match word.lower():
                case "":
                    continue
                case "q":
                    raise EOFError
                case "s":
                    return None
                case "n":
                    return _said(item, "none", [0.0] * len(groups), comment)
                case "c":
                    comment = rest.strip() or self._desk.line("comment")
                case "g":
                    grades = self._grades(rest.split() or None, len(groups))
                    if grades is not None:
                        return _said(item, "grades", grades, comment)
                    self._bad += 1
                case number if number in _numbers(len(groups)) and not rest:
                    chosen = [float(number == n) for n in _numbers(len(groups))]
                    return _said(item, "choice", chosen, comment)
                case _:
                    self._bad += 1
                    say(f"not understood: {told}")
                    say_text(_HELP.rstrip("\n"))

    def _grades(self, given: list[str] | None, count: int) -> list[float] | None:
        """Return a score for each group, from grades on one line or entered one by one."""
        keys = [
            self._desk.command(f"grade of {number}, 1 to 5", keys=True)
            for number in (() if given else _numbers(count))
        ]
        grades = given or keys
        if len(grades) != count or not all(grade in _numbers(5) for grade in grades):
            say(f"expected {count} grades from 1 to 5, such as: g {' '.join('5' * count)}")
            return None
        return [(int(grade) - 1) / 4 for grade in grades]

    # Showing

    def _show(self, item: Item) -> None:
        groups = item.groups
        say()
        left = "" if item.waits else "; no run waits for it any more"
        count = len(item.candidates)
        head = f"{count} candidate{'s' * (count > 1)}, waiting for {_age(item.created)}{left}"
        self._console.print(text((head, "dim")))
        self._console.print(text(item.question.strip()))
        say()
        titles = [_title(item, number, group) for number, group in enumerate(groups, 1)]
        bodies = [text(item.candidates[group[0]].text.strip()) for group in groups]
        if self._console.width // len(groups) >= _NARROW:
            table = Table(box=None, pad_edge=False, padding=(0, 2), expand=True)
            for title in titles:
                table.add_column(title, ratio=1, overflow="fold")
            table.add_row(*bodies)
            self._console.print(table)
            return
        for title, body in zip(titles, bodies, strict=True):
            self._console.print(title)
            self._console.print(body)
            say()


def _said(item: Item, how: How, values: list[float], comment: str) -> Judgement:
    """Return the judgement; every candidate of a group gets the group's value."""
    of = {i: value for group, value in zip(item.groups, values, strict=True) for i in group}
    scores = tuple(of[i] for i in range(len(item.candidates)))
    return Judgement(how, scores, comment, _user(), time.time())


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


def _prompt(count: int) -> str:
    best = "1" if count == 1 else f"1 to {count}"
    return f"{best} the best, g grade, n none, c comment, s skip, q quit"


def _title(item: Item, number: int, group: list[int]) -> RenderableType:
    candidate = item.candidates[group[0]]
    facts = [f"{len(group)} with this answer" if len(group) > 1 else ""]
    facts += [f"{candidate.tokens:,} tokens" if candidate.tokens else ""]
    facts += ["cut off" if candidate.cut else ""]
    parts = [(f"[{number}] ", "bold")]
    if candidate.answer is None:
        parts.append(("no answer", ""))
    elif candidate.answer.strip() != candidate.text.strip():  # else it is printed below
        parts.append((short(candidate.answer), "bold"))
    told = ", ".join(filter(None, facts))
    return text(*parts, (f"  ({told})" if told else "", "dim"))


def _age(since: float) -> str:
    seconds = max(0.0, time.time() - since)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may know no name for its user
        return ""


# Listing and exporting ----------------------------------------------------------------------------


def _list(queue: Queue, as_json: bool) -> None:
    waiting = queue.waiting()
    if as_json:
        say_json([_summary(item) for item in waiting])
    elif waiting:
        rows = [
            {
                "item": item.key,
                "since": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item.created)),
                "waits": "yes" if item.waits else "not any more",
                "candidates": len(item.candidates),
                "question": item.question.strip(),
            }
            for item in waiting
        ]
        runs.table(rows)
    else:
        say("nothing waits: runs with --verifier human ask here.", err=True)


def _summary(item: Item) -> dict[str, Any]:
    return {
        "item": item.key,
        "created": item.created,
        "waits": item.waits,
        "answer_type": item.answer_type,
        "question": item.question,
        "candidates": [{"answer": c.answer, "text": c.text} for c in item.candidates],
    }


def _export(queue: Queue, output: Path, force: bool) -> None:
    free(output, force, inputs=[queue.path])
    judged = queue.judged()
    if not judged:
        raise UsageError("nothing was judged yet: judge something with 'ponder review' first.")
    header, entries = labelled(judged)
    problems, samples = pools.write(output, header, entries)
    say(f"wrote {output}: {problems} problems, {samples} samples", err=True)

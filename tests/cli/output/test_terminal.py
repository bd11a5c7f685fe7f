"""The one way to the terminal: what comes out, and that there is no other."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Group, RenderableType
from rich.progress import BarColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ponder.cli.output import terminal
from ponder.cli.output.terminal import VisibleConsole

ROOT = Path(__file__).parents[3]
CONTROLS = set("\x1b\x07\r\b\x7f\u202e\u200b\x9b\U000e0041\ud800")
HOSTILE = "\x1b]52;c;QUFB\x07\x1b[2J\u202eabc\x9b31m\rx\b\x7f\u200b\U000e0041\ud800[red]:smile:"
SHOWN = (
    "\\x1b]52;c;QUFB\\x07\\x1b[2J\\u202eabc\\x9b31m\\rx\\x08\\x7f\\u200b\\U000e0041\\ud800"
    "[red]:smile:"
)
Capture = pytest.CaptureFixture[str]


def test_lines_and_texts(capsys: Capture) -> None:
    terminal.say(HOSTILE + "\n")
    terminal.say(HOSTILE, err=True, end="|")
    terminal.say_text(HOSTILE + "\n\tmore", err=True)
    assert capsys.readouterr() == (f"{SHOWN}\\n\n", f"{SHOWN}|{SHOWN}\n\tmore\n")


def test_json_has_the_exact_text_in_printable_ascii(capsys: Capture) -> None:
    terminal.say_json({HOSTILE: [HOSTILE]}, indent=1)
    out, _ = capsys.readouterr()
    assert json.loads(out) == {HOSTILE: [HOSTILE]}
    assert all(" " <= c < "\x7f" or c == "\n" for c in out)


def drawn(what: RenderableType, there: bool = False) -> str:
    out = io.StringIO()
    console = VisibleConsole(
        file=out, width=400, force_terminal=there, color_system="truecolor" if there else None
    )
    console.print(what)
    return out.getvalue()


def cell(of: RenderableType) -> Table:
    table = Table(box=None, show_header=False)
    table.add_row(of)
    return table


DRAWN = [
    HOSTILE,
    terminal.text(HOSTILE),
    Group(HOSTILE, HOSTILE),
    cell(HOSTILE),
    cell(terminal.text(("a", "dim"), (HOSTILE, "bold"))),
    Tree(HOSTILE),
]


@pytest.mark.parametrize("what", DRAWN)
@pytest.mark.parametrize("there", [False, True])
def test_whatever_rich_draws_is_visible(what: RenderableType, there: bool) -> None:
    out = drawn(what, there)
    assert SHOWN in out
    assert not CONTROLS & set(re.sub("\x1b\\[[0-9;]*m", "", out))


@pytest.mark.parametrize("what", [Text(HOSTILE), cell(Text(HOSTILE)), Group(Text(HOSTILE))])
def test_text_that_was_made_elsewhere_is_stopped_at_the_end(what: RenderableType) -> None:
    assert not CONTROLS & set(drawn(what))
    assert not CONTROLS & set(drawn(what, True))


def test_own_styles_still_work(capsys: Capture) -> None:
    assert drawn(terminal.text(("a", "bold"), "b"), True) == "\x1b[1ma\x1b[0mb\n"
    assert drawn(terminal.text(("a", "bold"), "b")) == "ab\n"
    terminal.say("a", bold=True)
    assert capsys.readouterr().out == "a\n"  # no terminal is there


def test_a_bar_and_a_view_obey_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "400")
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    with terminal.progress(terminal.Words("{task.description}"), BarColumn()) as bar:
        bar.add_task(HOSTILE, total=1)
    with terminal.live(lambda: Group(Text(HOSTILE), HOSTILE)):
        sys.stderr.write(f"{SHOWN}\n")
    seen = err.getvalue()
    assert "\x1b[?25l" in seen  # the cursor is hidden: they were drawn
    assert SHOWN in seen
    own = re.sub("\x1b\\[[0-9;]*[mAK]|\x1b\\[[?]25[lh]|(?<![^\n])\r|\r(?=\x1b)", "", seen)
    assert not CONTROLS & set(own)


PROGRAM = """
import logging, sys, warnings
from ponder.cli.output import terminal
terminal.prepare()
foreign = "\\x1b[2J\\u202e\\x9b31m\\ud800"
warnings.warn(foreign, stacklevel=1)
logging.getLogger("asyncio").error("lost: %s", foreign)
try:
    raise ValueError(foreign)
except ValueError:
    logging.getLogger("asyncio").exception(foreign)
print("\\u00e9\\ud800")
raise KeyError(foreign)
"""


def test_what_python_prints_by_itself_is_visible() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout == b"\\xe9\\ud800\n"
    lines = done.stderr.decode("ascii").splitlines()
    shown = "\\x1b[2J\\u202e\\x9b31m\\ud800"
    assert lines[:3] == [f"ponder: UserWarning: {shown}", f"lost: {shown}", shown]
    assert f"ValueError: {shown}" in lines
    assert lines[-1].startswith("KeyError: ")
    assert not CONTROLS & set(done.stderr.decode())


# There is no other way ----------------------------------------------------------------------------

WAYS = [
    "import click\nclick.echo('a')",
    "import click\nclick.secho('a')",
    "import click\nclick.confirm('a')",
    "import click\nclick.prompt('a')",
    "from click import echo\necho('a')",
    "from click.utils import echo\necho('a')",
    "from rich import print as show\nshow('a')",
    "from rich.console import Console\nConsole().print('a')",
    "import rich.console\nrich.console.Console().print('a')",
    "from rich.text import Text\nText('a')",
    "from rich.progress import Progress\nProgress()",
    "import sys\nsys.stdout.write('a')",
    "from sys import stderr\nstderr.write('a')",
    "print('a')",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("file", ["cli/new.py", "experiments/new.py", "api.py"])
def test_ruff_refuses_every_other_way(way: str, file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251,T20", "--output-format",
         "concise", "--stdin-filename", f"src/ponder/{file}", "-"],
        input=f"{way}\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "TID251" in done.stdout or "T201" in done.stdout


def test_the_code_knows_no_other_way() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251,T20", "src"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, "All checks passed!\n")


def test_a_terminal_does_not_obey_what_a_model_wrote() -> None:
    assert "\x1b" not in terminal.short("\x1b]2;title\x07 fourteen")

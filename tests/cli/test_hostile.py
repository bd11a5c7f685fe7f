"""No command prints a control character, whatever is in its arguments, its files or a reply.

Each command has a case that puts hostile characters into every string that it reads; one without a
case fails here. All of it is run as on a terminal and as in a pipe.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from ponder.cli.evaluation import view as evaluation
from ponder.cli.output import tables, terminal
from ponder.cli.root import cli, run
from ponder.cli.views import live, result, runs
from ponder.core.text.visible import visible
from tests.support.hostile_commands import ARGUMENT, CASES, HOSTILE, file

OWN = re.compile(r"\x1b\[[0-9;]*[mAK]|\x1b\[\?25[lh]|\r(?=\x1b)|(?:(?<=\n)|(?<![\s\S]))\r")
"""What Ponder itself sends to a terminal: styles, and the cursor of bars and live views."""


def commands(of: click.Command = cli, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that can be carried out, by its whole name."""
    if isinstance(of, click.Group):
        context = click.Context(of)
        for name in of.list_commands(context):
            part = of.get_command(context, name)
            assert part is not None
            yield from commands(part, *path, name)
    if not isinstance(of, click.Group) or of.invoke_without_command:
        yield " ".join(path), of


COMMANDS = dict(commands())


class Stream(io.StringIO):
    """Stdout and stderr together, a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def ponder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Runs a command line and returns what is printed, having looked at it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PONDER_CONFIG", str(tmp_path / "ponder.toml"))
    monkeypatch.delenv("PONDER_DATA", raising=False)

    def carry_out(*words: str | Path, said: str = "") -> str:
        out = Stream(request.param)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", out)
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        try:
            run([str(word) for word in words])
        except Exception as error:  # a reader's fault, which tests/test_fuzz.py finds
            sys.excepthook(type(error), error, error.__traceback__)
        shown = out.getvalue()
        foreign = OWN.sub("", shown) if request.param else shown
        assert visible(foreign) == foreign, ascii(shown)
        assert "\x1b[31m" not in shown
        return shown

    return carry_out


# Arguments ----------------------------------------------------------------------------------------


def test_every_command_has_a_case() -> None:
    assert set(CASES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_hostile_arguments(name: str, ponder: Callable[..., str]) -> None:
    file("ponder.toml", '[default]\nmodel = "simulated"\neffort = "minimal"')
    words, command = name.split(), COMMANDS[name]
    needed = ["x"] * sum(isinstance(p, click.Argument) and p.required for p in command.params)
    if name == "serve":  # it would serve until a signal comes, but for an address that it refuses
        needed = ["--host", "203.0.113.1"]
    assert "x1b" in ponder(*words, f"--{ARGUMENT}")
    ponder(*words, *[ARGUMENT] * (len(needed) + 1))
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.is_flag:
            ponder(*words, *needed, max(parameter.opts, key=len), ARGUMENT)


@pytest.mark.parametrize("words", [[], ["-h"], ["--version"], [ARGUMENT], [f"--{ARGUMENT}"]])
def test_no_command_at_all(words: list[str], ponder: Callable[..., str]) -> None:
    ponder(*words)


# Files and replies --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_hostile_files_and_replies(name: str, ponder: Callable[..., str]) -> None:
    shown: list[str] = []

    def watched(*words: str | Path, said: str = "") -> str:
        shown.append(ponder(*words, said=said))
        return shown[-1]

    CASES[name](watched)
    assert not shown or any("x1b" in one for one in shown)  # what is hostile came that far


@pytest.mark.parametrize("name", ["solve", "data show", "runs show", "eval show", "review"])
def test_without_the_rule_it_fails(
    name: str, ponder: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (terminal, tables, live, result, runs, evaluation):
        for rule in ("visible", "visible_line"):
            monkeypatch.setattr(module, rule, lambda text: text, raising=False)
    with pytest.raises((AssertionError, UnicodeEncodeError)):
        CASES[name](ponder)


pty = pytest.importorskip("pty")


def test_on_a_real_terminal(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"question": HOSTILE, "answer": HOSTILE}))
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ponder", "data", "show", str(path), "--gold"],
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(child)
    seen = b""
    while True:
        try:
            seen += os.read(parent, 65536)
        except OSError:  # the terminal is closed on the other side
            break
    os.close(parent)
    assert process.wait() == 0
    text = seen.decode().replace("\r\n", "\n")  # the terminal's own line ends
    assert "\x1b[1mx/0" in text  # Ponder's own style
    foreign = OWN.sub("", text)
    assert visible(foreign) == foreign
    assert "\\x1b]52;c;QUFB\\x07" in text

"""``ponder``: the commands, and the handling of their failures."""

from __future__ import annotations

import difflib
import os
from importlib import import_module
from typing import Any

import click

import ponder
from ponder.cli.options.once import Group
from ponder.cli.output.terminal import prepare, say
from ponder.core.errors import PonderError, UsageError

_COMMANDS = {
    "solve": ("commands.solve", "solve", "Answer a hard question within a budget."),
    "batch": ("commands.batch", "batch", "Answer many questions within one budget."),
    "decide": ("commands.decide", "decide", "Choose an answer about a text after one look."),
    "serve": ("commands.serve", "serve", "Serve models that think, behind OpenAI's API."),
    "mcp": ("commands.mcp", "mcp", "Offer thinking to agents as tools, over MCP."),
    "strategies": (
        "commands.strategies",
        "strategies",
        "List the strategies, their knobs and what they need.",
    ),
    "score": ("commands.score", "score", "Score texts from anywhere with a verifier."),
    "runs": ("commands.runs", "runs", "List, show, resume and remove recorded runs."),
    "data": ("commands.data", "data", "List benchmark suites and show their problems."),
    "pool": (
        "pool.command",
        "pool",
        "Record, grade, verify, re-score, import, strip and merge samples.",
    ),
    "tune": ("commands.tune", "tune", "Fit the efforts to recorded samples of your own problems."),
    "verifier": ("commands.verifier", "verifier", "Train a verifier from recorded samples."),
    "learn": ("learning.command", "learn", "Make training data and environments of recorded runs."),
    "review": ("commands.review", "review", "Judge candidates that runs wait for."),
    "eval": ("evaluation.command", "evaluate", "Run configurations on a suite, compare them."),
    "report": ("commands.report", "report", "Draw curves and economics of pools and results."),
    "models": ("commands.models", "models", "List, show, pull, locate and remove models."),
}


class _Lazy(Group):
    """Imports a command when it is used, so that help and usage errors are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            near = difflib.get_close_matches(name, _COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(_COMMANDS)}."
            raise click.UsageError(f"unknown command {name!r}: {hint}")
        module, attribute, _ = _COMMANDS[name]
        command: click.Command = getattr(import_module(f"ponder.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, _, about) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ponder.__version__, prog_name="ponder")
def cli() -> None:
    """Give any language model a thinking dial.

    \b
    ponder solve "How many primes are there below 100?" --effort high
    """


def run(arguments: list[str] | None) -> int:
    """Run a command line; returns the exit code, after printing the reason if it is not 0."""
    prepare()
    try:
        outcome: Any = cli.main(arguments, prog_name="ponder", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as error:
        _complain(_with_hint(error))
        return 2
    except PonderError as error:
        _complain(str(error))
        return 2 if isinstance(error, UsageError) else 1
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is buffered cannot be written either
        _complain(f"cannot go on: {error.strerror or error}.")
        return 1


def _with_hint(error: click.ClickException) -> str:
    """Return its message, with a hint where a question may have been meant."""
    message = error.format_message()
    command = error.ctx.command if isinstance(error, click.UsageError) and error.ctx else None
    if command is None or not any(p.name == "question" for p in command.params):
        return message
    if "unexpected extra argument" in message:
        return f"{message}; put the question in quotes."
    if message.startswith("No such option"):
        return f"{message} (A question that begins with '-' goes behind '--'.)"
    return message


def _complain(sentence: str) -> None:
    """Print a sentence on one line; of another library's paragraphs, only the first."""
    first = sentence.strip().split("\n\n")[0]
    say(f"ponder: {' '.join(first.split())}", err=True)

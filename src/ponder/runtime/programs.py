"""Runs a program that a model wrote in a sandbox, and reads what it printed as an answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from ponder.answers.printed import reply
from ponder.answers.programs import printing
from ponder.core.answer import Answer
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.trace import Ran, Trace
from ponder.sandbox.base import Output, Sandbox
from ponder.sandbox.mathematics import reaching

SHOWN = 500
"""Most characters that are kept of an output, and of an error: their ends."""
NO_PROGRAM = "there is no complete program in a ```python block"
Read = Callable[[str, Problem, bool], Awaitable[Answer | None]]
"""Reads the answer out of (text, problem, True if the text was truncated)."""
Where = Callable[[], Awaitable[Sandbox]]
"""Finds the sandbox; raises ``UsageError`` if there is none."""


async def nowhere() -> Sandbox:
    """Refuse to run a program: the caller has no sandbox.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "a program was to be run, and this run has no sandbox: give Job(sandbox=...) one."
    )


async def run(trace: Trace, sandbox: Sandbox, read: Read) -> Ran:
    """Run the program in a trace, and read its output as an answer to the trace's problem."""
    source = printing(trace.text, truncated=trace.cut)
    if source is None:
        return Ran(None, "", NO_PROGRAM)
    sources = [reaching(), source] if sandbox.whole else [source]
    [output] = await sandbox.feed(sources, [""])
    if output.verdict != "pass":
        return Ran(None, output.text[-SHOWN:], _failure(output, source))
    said = reply(output.text, trace.problem)
    answer = await read(said, trace.problem, False) if said.strip() else None
    why = "" if answer else _useless(output.text, trace.problem)
    return Ran(answer, output.text[-SHOWN:], why)


_PLACE = re.compile(r'^  File "<1>", line (\d+)', re.M)


def _failure(output: Output, source: str) -> str:
    if output.verdict == "timeout":
        return "it ran out of time"
    if output.verdict == "unsupported":
        return f"it uses what cannot be run here: {_end(output.error)}"
    places, lines = _PLACE.findall(output.error), source.splitlines()
    at = int(places[-1]) if places else 0
    where = f"line {at}, `{lines[at - 1].strip()[:SHOWN]}`: " if 0 < at <= len(lines) else ""
    return where + (_end(output.error) or "it did not come to its end")


def _end(error: str) -> str:
    return next((line.strip()[-SHOWN:] for line in reversed(error.splitlines()) if line), "")


def _useless(text: str, problem: Problem) -> str:
    shown = " ".join(text.split())[-SHOWN:]
    if not shown:
        return "it printed nothing"
    kinds = {"number": "a number", "choice": "one of the labels", "json": "the JSON asked for"}
    return f"it printed {shown!r}, which is not {kinds.get(problem.answer_type, 'an answer')}"

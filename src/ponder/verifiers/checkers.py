"""Problems that can be checked themselves: a puzzle, a schema, a pattern, a user's own function.

=============================  =====================================================================
verifier                       an answer passes if
=============================  =====================================================================
``arithmetic``                 it solves the problem's ``ArithmeticTests`` (Game of 24, Countdown);
                               a chain that goes on fails by its first wrong step
``schema``                     it is JSON that satisfies the problem's own schema
``regex("PATTERN")``           the pattern is found in it (``re.search``)
``script(PATH.py, FUNCTION)``  a function of the user's says so; it may give a number from 0 to 1
=============================  =====================================================================
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from ponder.answers.arithmetic import solves, steps
from ponder.core.errors import UsageError
from ponder.core.problem import ArithmeticTests, Problem
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref
from ponder.core.trace import Score, Trace
from ponder.sandbox.regex import search
from ponder.util.threads import in_thread
from ponder.verifiers.base import Facts, Tools
from ponder.verifiers.naming import Arguments

NO_ANSWER = "there is no answer in the reply"
HOLDS = 0.5
"""Score of a prefix that is neither right nor wrong so far."""


def _decided(right: bool, name: str, why: str = "") -> Score:
    return Score(float(right), name, "" if right else why, "pass" if right else "fail")


def _open(trace: Trace, name: str) -> Score:
    """Score a trace without an answer: wrong if it has ended, undecided if it can go on."""
    return _decided(False, name, NO_ANSWER) if trace.done else Score(None, name, NO_ANSWER)


@dataclass(frozen=True, slots=True)
class Arithmetic(Facts):
    """Passes an expression that has the exact value and uses each number once."""

    name: str = "arithmetic"

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace."""
        puzzle = problem.tests
        if not isinstance(puzzle, ArithmeticTests):
            why = "the problem brings no numbers and target to check an answer by"
            return [Score(None, self.name, why) for _ in traces]
        numbers, target = puzzle.numbers, Fraction(puzzle.target)
        wrong = f"not {puzzle.target} of {', '.join(map(str, numbers))}, each once"

        def judge(trace: Trace) -> Score:
            if trace.answer is None:
                held, misstep = steps(trace.text, numbers, target)
                if misstep:
                    return _decided(False, self.name, misstep)
                if held and not trace.done:
                    return Score(HOLDS, self.name, f"{held} step{'s' * (held > 1)} so far")
                return _open(trace, self.name)
            return _decided(solves(trace.answer.text, numbers, target), self.name, wrong)

        return [judge(trace) for trace in traces]


@dataclass(frozen=True, slots=True)
class Schema(Facts):
    """Passes an answer that is JSON and satisfies the problem's schema."""

    name: str = "schema"
    tools: Tools = field(default_factory=Tools, repr=False, compare=False)

    def using(self, tools: Tools) -> Schema:
        """As ``Handy``."""
        return replace(self, tools=tools)

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace.

        Raises:
            UsageError: the problem's JSON Schema is invalid.
        """
        if not problem.schema.strip():
            return [Score(None, self.name, "the problem has no schema") for _ in traces]

        async def judge(trace: Trace) -> Score:
            text = trace.answer.text if trace.answer else trace.text
            reader = self.tools.reader
            found, late = await reader.satisfying(text, problem.schema, trace.cut)
            if late:
                return Score(0.0, self.name, "the schema takes too long on it", "timeout")
            if found is None and not trace.done:
                return _open(trace, self.name)
            return _decided(found is not None, self.name, "no JSON that satisfies the schema")

        return [await judge(trace) for trace in traces]


@dataclass(frozen=True, slots=True)
class Regex(Facts):
    """Passes an answer in which a pattern is found.

    The search runs in a process that can be killed.
    """

    pattern: str

    @property
    def name(self) -> str:
        """The verifier's name, with its pattern."""
        return str(Ref("regex", (Ref(self.pattern),)))

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise UsageError(
                f"verifier {self.name!r}: not a regular expression: {error}."
            ) from None

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace.

        ``timeout`` for an answer on which the search takes too long.
        """
        texts = list(dict.fromkeys(t.answer.text for t in traces if t.answer is not None))
        found = dict(zip(texts, await search(self.pattern, texts), strict=True))

        def judge(trace: Trace) -> Score:
            if trace.answer is None:
                return _open(trace, self.name)
            right = found[trace.answer.text]
            if right is None:
                return Score(
                    0.0, self.name, "the pattern takes too much time or memory on it", "timeout"
                )
            return _decided(right, self.name, "the pattern is not found in it")

        return [judge(trace) for trace in traces]


@dataclass(frozen=True, slots=True)
class Script(Facts):
    """A user's own function, called with the texts (question, answer, reply).

    True or False is ``pass`` or ``fail``, a number from 0 to 1 is a score, and None is an
    abstention. An exception is an ``error`` of that one answer. The answer is empty if the reply
    has none. The function is the user's own code and therefore trusted: it runs in this process,
    off the event loop, one call at a time. Its output goes to standard error.
    """

    name: str
    function: Callable[[str, str, str], Any]

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace; any other return value is an error, and an abstention."""
        question = problem.shown[-1].content
        return await in_thread(lambda: [self._judge(question, t) for t in traces])

    def _judge(self, question: str, trace: Trace) -> Score:
        answer = trace.answer.text if trace.answer else ""
        try:
            said = self.function(question, answer, trace.text)
        except (Exception, SystemExit) as error:
            return Score(None, self.name, f"{type(error).__name__}: {error}"[:300], "error")
        if inspect.iscoroutine(said):
            said.close()  # it will never be awaited
        if said is None:
            return Score(None, self.name)
        if isinstance(said, bool):
            return _decided(said, self.name)
        try:
            value = float(said)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not 0 <= value <= 1:
            why = f"it returned {said!r:.100}: expected a number from 0 to 1, True, False or None"
            return Score(None, self.name, why, "error")
        return Score(value, self.name)


def script(given: Arguments) -> Script:
    """Return the verifier ``script(PATH.py, FUNCTION)``. The file is run once.

    Raises:
        UsageError: the file or function does not exist, or the file cannot be run.
    """
    file, function = given.text(0) or "", given.text(1) or ""
    if not file.endswith(".py") or not function.isidentifier():
        raise UsageError(f"verifier {given.name!r}: write script(PATH.py, FUNCTION).")
    return _loaded(file, function)


@lru_cache(64)
def _loaded(file: str, function: str) -> Script:
    name, path = str(Ref("script", (Ref(file), Ref(function)))), Path(file)
    if not path.is_file():
        raise UsageError(f"verifier {name!r}: there is no file {file}.")
    found = importlib.util.spec_from_file_location(f"ponder_script_{path.stem}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    module.__dict__["print"] = _aside
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"verifier {name!r}: {file} cannot be run: {type(error).__name__}: {error}"
        ) from None
    known = getattr(module, function, None)
    if not callable(known):
        raise UsageError(f"verifier {name!r}: {file} defines no function {function}.")
    return Script(name, known)


def _aside(*values: object, **how: Any) -> None:
    """Replace a script's ``print``: standard output belongs to the calling command."""
    print(*values, **{"file": sys.stderr, **how})  # noqa: T201

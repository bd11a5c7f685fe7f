"""The process that runs ``pydantic-monty``'s sessions for ``monty``, one order at a time.

Results cross from the interpreter as values, and a small object there may be a large one here (a
list that holds one text a million times), so they do not cross into the process of a run: this one
has limits of its own, and another is started where it came to its end.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ponder.answers.equivalence import parse_python
from ponder.sandbox.base import Outcome, Output
from ponder.sandbox.wire import no_other, pack, read_frame, unpack, write_frame

_OVER = re.compile(r"(?:feed|turn) time limit|sleep limit|suspension limit")
_MODULE = re.compile(r"No module named '(\w+)|module '(\w+)'? has no attribute")
_NAME = re.compile(r"name '(\w+)' is not defined")
_MEMBER = re.compile(r"(?:type object )?'(\w+)' (?:object )?has no attribute '(\w+)'")
_DATA = (type(None), bool, int, float, complex, str, bytes, range)
_CALLS = 100_000
_OWN_MEMORY = 2**30


class Sessions:
    """Carries out orders in fresh sessions of the library's worker processes."""

    def __init__(self, library: Any, pool: Any, limits: dict[str, Any]) -> None:
        self._library, self._pool, self._limits = library, pool, limits

    def test(self, program: Sequence[str], setup: str, units: Sequence[str]) -> list[Outcome]:
        """As ``Sandbox.test``. Program and tests are two sessions; data passes between them."""
        deadline = time.monotonic() + self._limits["max_total_sleep_secs"]

        def run(source: str, **options: Any) -> Any:
            return self._run(theirs, source, **options)

        try:
            with self._session() as theirs, self._session() as ours:
                for source in program:
                    run(source)
                names = _Names(program, run, self._library.MontyError, deadline)
                if setup:
                    self._run(ours, setup, external_lookup=names.lookup(setup))
                return [self._unit(ours, unit, names) for unit in units]
        except self._library.MontyError as error:
            return [_outcome(error)] * len(units)

    def _unit(self, session: Any, source: str, names: _Names) -> Outcome:
        names.changed = False
        if time.monotonic() > names.deadline:
            return Outcome("timeout", "", "out of time")
        try:
            self._run(session, source, external_lookup=names.lookup(source))
        except self._library.MontyError as error:
            if names.late:
                return Outcome("timeout", "", "out of time")
            if names.changed:
                return Outcome("unsupported", "", "the program changes its arguments in place")
            return _outcome(error)
        except (TypeError, ValueError, RecursionError) as error:
            return Outcome("error", type(error).__name__, str(error)[:500])
        return Outcome("pass")

    def feed(self, program: Sequence[str], text: str) -> Output:
        """As ``Sandbox.feed``, of one input."""
        lines = iter(text.splitlines())

        def read(prompt: str = "") -> str:
            line = next(lines, None)
            if line is None:
                raise EOFError("EOF when reading a line")
            return line

        printed = self._library.CollectString(self._limits["output"])
        options = {"print_callback": printed, "external_lookup": {"input": read}}
        try:
            with self._session() as session:
                for source in program:
                    session.feed_run(source, **options)
        except self._library.MontyError as error:
            return Output(_outcome(error).verdict, printed.output)
        return Output("pass", printed.output)

    def _session(self) -> Any:
        limits = {name: value for name, value in self._limits.items() if name != "output"}
        return self._pool.checkout(limits=limits, assert_message_annotations=False)

    def _run(self, session: Any, source: str, **options: Any) -> Any:
        printed = self._library.CollectString(self._limits["output"])
        return session.feed_run(source, print_callback=printed, **options)


@dataclass(slots=True)
class _Names:
    """What the tests can reach of a program: its functions, and what else it has by a name."""

    program: Sequence[str]
    run: Callable[..., Any]
    failure: Any
    deadline: float
    changed: bool = False
    late: bool = False
    functions: frozenset[str] = field(init=False)
    others: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        functions, others = set[str](), set[str]()
        for source in self.program:
            tree = parse_python(source)
            for node in tree.body if tree else []:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    functions.add(node.name)
                elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
                    functions |= {t.id for t in node.targets if isinstance(t, ast.Name)}
                else:
                    stored = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
                    others |= {n.id for n in stored if isinstance(n.ctx, ast.Store)}
        self.functions, self.others = frozenset(functions), frozenset(others - functions)

    def lookup(self, source: str) -> dict[str, Any]:
        """What a test finds under the names that it does not define."""
        found: dict[str, Any] = {"__program__": _no_builtin}
        tree = parse_python(source)
        for node in ast.walk(tree) if tree else ():
            if not isinstance(node, ast.Name) or hasattr(builtins, node.id):
                continue
            if node.id in self.functions | self.others:
                found[node.id] = self.named(node.id)
        return found

    def named(self, name: str) -> Any:
        """A function that calls the program's, or a value of the program's."""
        if name not in self.functions:
            return _plain(self.run(name))

        def call(*args: Any, **named: Any) -> Any:
            if time.monotonic() > self.deadline:
                self.late = True
                raise TimeoutError("out of time")
            before = deepcopy(args)
            source = f"__a = list(__a)\n({name}(*__a, **__k), __a)"
            try:
                result, after = self.run(source, inputs={"__a": args, "__k": named})
            except self.failure as error:
                raise error.exception() from None  # as what the program raised
            self.changed = self.changed or list(before) != after
            return _plain(result)

        return call


def _no_builtin(name: str) -> Any:
    raise NotImplementedError(f"monty runs no program that defines {name}, which is built in")


def _plain(value: Any) -> Any:
    """The value, if it is data of builtin types all through.

    Raises:
        TypeError: it is not; an instance of a class of the program's might say it equals anything.
    """
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) in (list, tuple, set, frozenset):
            waiting += part
        elif type(part) is dict:
            waiting += [*part.keys(), *part.values()]
        elif type(part) not in _DATA:
            raise TypeError("the program's result is no data")
    return value


def _outcome(error: Any) -> Outcome:
    inner = error.exception()
    name, text = type(inner).__name__, str(inner)[:500]
    if getattr(error, "timed_out", False) or (_OVER.match(text) and name != "ValueError"):
        return Outcome("timeout", "", "out of time")
    if _beyond(name, text):
        return Outcome("unsupported", name, text)
    return Outcome("fail" if name == "AssertionError" else "error", name, text)


def _beyond(name: str, text: str) -> bool:
    """Whether it failed for want of something that Python has and this interpreter has not."""
    if name == "NotImplementedError" and "monty" in text:
        return True
    if found := _MODULE.search(text):
        return (found[1] or found[2]) in sys.stdlib_module_names
    if found := _NAME.search(text):
        return hasattr(builtins, found[1])
    if found := _MEMBER.search(text):
        kind = getattr(builtins, found[1], None)
        return isinstance(kind, type) and hasattr(kind, found[2])
    return False


def serve(memory: int) -> None:
    """Answer orders until there are no more."""
    import pydantic_monty

    channel = os.dup(1)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (_OWN_MEMORY + memory,) * 2)
    with pydantic_monty.Monty(min_processes=2, max_processes=2) as pool:
        write_frame(channel, pack("ready", no_other))
        while (frame := read_frame(0)) is not None:
            limits, program, setup, units, inputs = unpack(frame, no_other)
            sessions = Sessions(pydantic_monty, pool, limits)
            if inputs is None:
                tested = sessions.test(program, setup, units)
                said: list[Any] = [(o.verdict, o.error, o.detail) for o in tested]
            else:
                fed = (sessions.feed(program, text) for text in inputs)
                said = [(output.verdict, output.text) for output in fed]
            write_frame(channel, pack(said, no_other))


if __name__ == "__main__":
    serve(int(sys.argv[1]))

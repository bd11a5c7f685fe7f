"""The process that runs ``pydantic-monty``'s sessions for ``monty``, one order at a time.

Results cross from the interpreter as values, and a small object there may be a large one here (a
list that holds one text a million times), so they do not cross into the process of a run: this one
has limits of its own, and another is started where it came to its end.
"""

from __future__ import annotations

import ast
import builtins
import io
import os
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ponder.answers.equivalence import parse_python
from ponder.sandbox.base import Outcome, Output
from ponder.sandbox.monty_beyond import beyond
from ponder.sandbox.wire import no_other, pack, read_frame, unpack, write_frame

_OVER = re.compile(r"(?:feed|turn) time limit|sleep limit|suspension limit")
_DATA = (type(None), bool, int, float, complex, str, bytes, range)
_CALLS = 100_000
_OWN_MEMORY = 2**30


class Session:
    """A session of the library, and the sources that it was fed."""

    def __init__(self, library: Any, session: Any, output: int) -> None:
        self._library, self._session, self._output = library, session, output
        self._sources: list[str] = []
        self._given: frozenset[str] = frozenset()

    def run(self, source: str, **options: Any) -> Any:
        """Return the value of the source's last expression."""
        if not source.strip():  # the library does not count these
            return None
        printed = self._library.CollectString(self._output)
        self._sources.append(source)
        self._given = frozenset(options.get("external_lookup", ()))
        return self._session.feed_run(source, **{"print_callback": printed, **options})

    def outcome(self, error: Any) -> Outcome:
        """Return the outcome of a run that ended with this error."""
        inner = error.exception()
        name, text = type(inner).__name__, str(inner)[:500]
        if isinstance(error, self._library.MontyCrashedError) and error.timed_out:
            return Outcome("timeout", "", "out of time")
        if type(inner) in (TimeoutError, RuntimeError) and _OVER.match(text):
            return Outcome("timeout", "", "out of time")
        raised = isinstance(error, self._library.MontyRuntimeError)
        frames = error.traceback() if raised else []
        if beyond(inner, frames, self._sources, self._given, self._unparsable):
            return Outcome("unsupported", name, text)
        return Outcome("fail" if name == "AssertionError" else "error", name, text)

    def _unparsable(self, source: str) -> bool:
        """Return True if the interpreter's parser lacks syntax that the source uses.

        Runs nothing.
        """
        self._sources.append("")
        try:
            self._session.feed_run(f"raise KeyError\n{source}")
        except self._library.MontyError as error:
            return type(error.exception()) is NotImplementedError
        return False


class Sessions:
    """Carries out orders in fresh sessions of the library's worker processes."""

    def __init__(self, library: Any, pool: Any, limits: dict[str, Any]) -> None:
        self._library, self._pool, self._limits = library, pool, limits

    def test(self, program: Sequence[str], setup: str, units: Sequence[str]) -> list[Outcome]:
        """Test as ``Sandbox.test``.

        Program and tests are two sessions; data passes between them.
        """
        deadline = time.monotonic() + self._limits["max_total_sleep_secs"]
        with self._session() as theirs, self._session() as ours:
            try:
                for source in program:
                    theirs.run(source)
                names = _Names(program, theirs, self._library, deadline)
            except self._library.MontyError as error:
                return [theirs.outcome(error)] * len(units)
            begun = self._outcome(ours, setup, names)
            begun = names.failure or begun
            if not begun.passed:
                return [begun] * len(units)
            return [self._unit(ours, unit, names) for unit in units]

    def _unit(self, session: Session, source: str, names: _Names) -> Outcome:
        """Return the outcome of one unit.

        A failure of the harness decides it, whatever the unit caught. So do arguments that the
        program changed where the unit may read them again, since the program has copies.
        """
        names.begin()
        if time.monotonic() > names.deadline:
            return Outcome("timeout", "", "out of time")
        outcome = self._outcome(session, source, names)
        if names.failure is not None:
            return names.failure
        if names.changed and _keeps_arguments(source, names.functions):
            return Outcome("unsupported", "", "the program changes its arguments in place")
        return outcome

    def _outcome(self, session: Session, source: str, names: _Names) -> Outcome:
        try:
            found = names.lookup(source)
        except self._library.MontyError as error:
            return names.session.outcome(error)
        except TypeError as error:
            return Outcome("error", "TypeError", str(error)[:500])
        try:
            session.run(source, external_lookup=found)
        except self._library.MontyError as error:
            inner = error.exception()
            if (type(inner).__name__, str(inner)) in names.raised:
                return Outcome("error", type(inner).__name__, str(inner)[:500])
            return session.outcome(error)
        except (TypeError, ValueError, RecursionError) as error:
            return Outcome("error", type(error).__name__, str(error)[:500])
        return Outcome("pass")

    def feed(self, program: Sequence[str], text: str) -> Output:
        """Run as ``Sandbox.feed``, with one input."""
        lines, left = io.StringIO(text, newline="\n"), list[object]()

        def read(prompt: str = "") -> str:
            line = lines.readline()
            if not line:
                raise EOFError("EOF when reading a line")
            return line.removesuffix("\n")

        def leave(code: object = None) -> None:
            left.append(code)
            raise SystemExit

        printed = self._library.CollectString(self._limits["output"])
        lent = {"input": read, "exit": leave, "quit": leave}
        options = {"print_callback": printed, "external_lookup": lent}
        with self._session() as session:
            try:
                for source in program:
                    session.run(source, **options)
            except self._library.MontyError as error:
                inner = error.exception()
                if type(inner) is SystemExit and not str(inner) and left[-1:] in ([], [None], [0]):
                    return Output("pass", printed.output)
                said = session.outcome(error)
                why = ": ".join(filter(None, (said.error, said.detail)))
                return Output(said.verdict, printed.output, why)
        return Output("pass", printed.output)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        limits = {name: value for name, value in self._limits.items() if name != "output"}
        checkout = self._pool.checkout(limits=limits, assert_message_annotations=False)
        with checkout as session:
            yield Session(self._library, session, self._limits["output"])


@dataclass(slots=True)
class _Names:
    """The names of a program that its tests can reach: its functions, and its other values."""

    program: Sequence[str]
    session: Session
    library: Any
    deadline: float
    changed: bool = False
    """True if the program changed an argument during this unit."""
    failure: Outcome | None = None
    """Outcome of this unit, if a call failed without an exception of the program's."""
    raised: set[tuple[str, str]] = field(default_factory=set)
    """The program's exceptions during this unit, by type and text."""
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

    def begin(self) -> None:
        """Start a unit."""
        self.changed, self.failure = False, None
        self.raised.clear()

    def lookup(self, source: str) -> dict[str, Any]:
        """Return the values of the names that a test uses but does not define."""
        found: dict[str, Any] = {"__program__": self.no_builtin}
        tree = parse_python(source)
        for node in ast.walk(tree) if tree else ():
            if not isinstance(node, ast.Name) or hasattr(builtins, node.id):
                continue
            if node.id in self.functions | self.others:
                found[node.id] = self.named(node.id)
        return found

    def no_builtin(self, name: str) -> Any:
        """Refuse a builtin name that the program binds: it cannot be had here.

        Raises:
            NotImplementedError: always.
        """
        text = f"monty runs no program that defines {name}, which is built in"
        self.failure = Outcome("unsupported", "NotImplementedError", text)
        raise NotImplementedError(text)

    def named(self, name: str) -> Any:
        """Return a function that calls the program's, or a value of the program's."""
        if name not in self.functions:
            return _plain(self.session.run(name))

        def call(*args: Any, **named: Any) -> Any:
            try:
                return self._call(name, args, named)
            except self.library.MontyError as error:
                raise self._as_raised(error) from None
            except Exception as error:
                self.failure = self.failure or Outcome("error", "Uncrossable", str(error)[:500])
                raise

        return call

    def _call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if time.monotonic() > self.deadline:
            self.failure = Outcome("timeout", "", "out of time")
            raise TimeoutError("out of time")
        before = deepcopy(args)
        source = f"__a = list(__a)\n({name}(*__a, **__k), __a)"
        result, after = self.session.run(source, inputs={"__a": args, "__k": named})
        self.changed = self.changed or list(before) != after
        return _plain(result)

    def _as_raised(self, error: Any) -> Exception:
        """Return a program's exception for the tests; one that ends no `map` or run of theirs."""
        inner: BaseException = error.exception()
        outcome = self.session.outcome(error)
        of_a_program = isinstance(error, self.library.MontyRuntimeError)
        if outcome.verdict in ("timeout", "unsupported") or not of_a_program:
            self.failure = self.failure or outcome
        if not isinstance(inner, Exception) or isinstance(
            inner, StopIteration | StopAsyncIteration
        ):
            inner = RuntimeError(f"{type(inner).__name__}: {inner}")
        self.raised.add((type(inner).__name__, str(inner)))
        return inner


def _keeps_arguments(source: str, functions: frozenset[str]) -> bool:
    """Return True if a unit passes an argument by a name, through which it may read it again."""
    tree = parse_python(source)
    for call in ast.walk(tree) if tree else ():
        if not isinstance(call, ast.Call):
            continue
        passed = (*call.args, *(keyword.value for keyword in call.keywords))
        names = {n.id for part in passed for n in ast.walk(part) if isinstance(n, ast.Name)}
        plain = isinstance(call.func, ast.Name) and hasattr(builtins, call.func.id)
        if plain and not names & functions:  # not a call of the program's, unlike in `map(f, x)`
            continue
        if any(name not in functions and not hasattr(builtins, name) for name in names):
            return True
    return tree is None


def _plain(value: Any) -> Any:
    """Return the value, if it is data of builtin types throughout.

    Raises:
        TypeError: it is not; an instance of a program's class might claim to equal anything.
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
                said = [(output.verdict, output.text, output.error) for output in fed]
            write_frame(channel, pack(said, no_other))


if __name__ == "__main__":
    serve(int(sys.argv[1]))

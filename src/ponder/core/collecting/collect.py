"""Collects the tests of a Python source, as its framework would.

============================  ======================================================================
written as                    run as
============================  ======================================================================
``assert`` on the outermost   a test of its own, with the statements before it
level
a loop, ``with``, ``try`` or  a test of its own, if it holds an assertion or calls a function that
call there                    does
``def test...()``, ``class    called, as pytest does; ``parametrize`` and ``raises`` are understood
Test...``
``unittest.TestCase``         each method with ``setUp`` and ``tearDown``
``if __name__ ==              run; ``unittest.main()`` and its like are left out, for the tests that
"__main__"``                  they would start are started anyway
``def check(candidate)``      called with the entry point, as HumanEval does
examples in docstrings        compared as ``doctest`` does, if there is nothing else, or if
                              ``doctest.testmod()`` is called
============================  ======================================================================

Tests that assert nothing, or that need more of a framework than this, are refused in one sentence.
A name that the tests do not define is the program's.
"""

from __future__ import annotations

import ast
import builtins
import symtable
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ponder.core.collecting.assertions import (
    DEFINITIONS,
    always_true,
    asserting,
    asserts,
    constant,
    defined,
    live,
    never_true,
)
from ponder.core.collecting.docs import examples
from ponder.core.collecting.frameworks import framework_tests
from ponder.core.collecting.rewriting import rewritten
from ponder.core.errors import UsageError

NOTHING = (
    "the tests assert nothing: expected at least one `assert` that runs and that the program can "
    "fail; write one, such as `assert f(1) == 2`."
)
UNUSED = (
    "the tests never use the program: expected a name that only the program defines; call its "
    "function, and do not define that function in the tests."
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One test: Python source, run in one namespace with the other tests, in their order."""

    source: str
    """Python source of the test."""
    claim: str
    """Its assertion on one line, for a person."""
    counted: bool
    """True if it may pass without running an assertion, so that assertions must be counted."""


@lru_cache(1_024)
def collect(code: str, entry_point: str = "") -> tuple[Unit, ...]:
    """Return the tests of a source, in the order in which they run.

    Raises:
        UsageError: it is not valid Python, asserts nothing, or needs a framework that is not
            supported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a test is not our warning
            return _collect(ast.parse(code), entry_point)
    except SyntaxError as error:
        where = f" in line {error.lineno} of their code" if error.lineno else ""
        raise UsageError(f"the tests are not valid Python: {error.msg}{where}.") from None
    except (ValueError, RecursionError, MemoryError):
        raise UsageError(
            "the tests cannot be read: expected Python without null characters, numbers of more "
            "than 4,300 digits, or expressions nested deeper than some hundred levels."
        ) from None


@lru_cache(1_024)
def needed(code: str, entry_point: str = "") -> frozenset[str]:
    """Return the names that the tests of a source read but do not define: the program's.

    Raises:
        UsageError: as ``collect``.
    """
    return frozenset(_of_program(collect(code, entry_point), entry_point))


def _collect(parsed: ast.Module, entry_point: str) -> tuple[Unit, ...]:
    tree, wants_examples = rewritten(parsed, entry_point)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and always_true(node.test):
            raise UsageError(
                f"the tests assert what is always true in line {node.lineno} of their code: "
                "expected a condition; write `assert f(1) == 2` or `assert f(1) == 2, 'message'`, "
                "without parentheses around both."
            )
    names, own = asserting(tree), defined(tree)
    calls = framework_tests(tree, entry_point, names, used(tree))
    found, waiting = _outermost(tree.body, names, own)
    for claim, statements in calls:
        found.append(Unit(_source([*waiting, *statements]), claim, True))
        waiting = []
    if wants_examples or not found:
        for claim, statements in examples(tree):
            found.append(Unit(_source([*waiting, *statements]), claim, True))
            waiting = []
    if not found:
        raise UsageError(NOTHING)
    if any(not isinstance(node, _IDLE) for node in waiting):
        found.append(Unit(_source(waiting), "the statements after the tests", True))
    return tuple(_with_names(found, _of_program(found, entry_point)))


_IDLE = (*DEFINITIONS, ast.Import, ast.ImportFrom, ast.Pass)


def _outermost(
    body: Sequence[ast.stmt], names: frozenset[str], own: frozenset[str]
) -> tuple[list[Unit], list[ast.stmt]]:
    """Split the outermost statements into tests and the statements that remain."""
    found: list[Unit] = []
    waiting: list[ast.stmt] = []
    for node in body:
        waiting.append(node)
        if isinstance(node, ast.Assert):
            if constant(node.test) and not never_true(node.test):
                continue  # `assert True` is not a test
            found.append(Unit(_source(waiting), _line(node).removeprefix("assert "), False))
        elif asserts([node], names, own):
            found.append(Unit(_source(waiting), _line(node), True))
        else:
            continue
        waiting = []
    return found, waiting


def _source(statements: Sequence[ast.stmt]) -> str:
    return ast.unparse(ast.Module(list(statements), []))


def _line(node: ast.stmt) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 200 else f"{text[:197]}..."


def used(tree: ast.Module) -> frozenset[str]:
    """Return the names that the outermost level reads, itself or through functions that
    it calls.
    """
    bodies = {node.name: node.body for node in tree.body if isinstance(node, DEFINITIONS)}
    found = set(_read(tree.body))
    waiting = list(found)
    while waiting:
        for name in _read(bodies.get(waiting.pop(), [])):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)


def _read(body: Sequence[ast.stmt]) -> Iterator[str]:
    for node in live(body):
        if isinstance(node, ast.Name):
            yield node.id


def _of_program(units: Sequence[Unit], entry_point: str) -> set[str]:
    """Return the names that the tests read but do not define.

    Raises:
        UsageError: there are none, so no program could fail the tests.
    """
    table = _table("\n".join(unit.source for unit in units))
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    free = _globals(table) - bound - (set(dir(builtins)) - {entry_point})
    if not free and not _globals(table) & {"eval", "exec", "globals", "__import__"}:
        raise UsageError(UNUSED)
    return free


def _with_names(units: Sequence[Unit], free: set[str]) -> Iterator[Unit]:
    """Yield the tests, each extended to mention the names of the program that it needs.

    A sandbox may look up only those: a test that calls a function of the tests needs that
    function's names.
    """
    needed = set[str]()
    for unit in units:
        table = _table(unit.source)
        missing = sorted(needed - _globals(table))
        needed |= free & set[str]().union(*map(_globals, table.get_children()))
        mention = f"lambda: ({', '.join(missing)},)\n" if missing else ""
        yield replace(unit, source=mention + unit.source)


def _table(source: str) -> symtable.SymbolTable:
    return symtable.symtable(source, "<tests>", "exec")


def _globals(table: symtable.SymbolTable) -> set[str]:
    """Return the names that the source reads from the outermost level."""
    outer = table.get_type() == "module"
    here = {s.get_name() for s in table.get_symbols() if s.is_referenced() and
            (outer or s.is_global())}  # fmt: skip
    return here.union(*map(_globals, table.get_children()))

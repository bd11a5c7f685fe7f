"""Builds the sources that a sandbox runs, from an answer and its tests."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Sequence

from ponder.answers.equivalence import parse_python
from ponder.core.collecting.collect import Unit, collect
from ponder.core.problem import AssertTests
from ponder.sandbox.base import Outcome, Script
from ponder.verifiers.execution.counting import GOT, RAN, START, counted, counting


def program(answer: str, tests: AssertTests | None = None) -> list[str]:
    """Return the sources to run, in order. Each is compiled alone, so none can end another.

    An answer that is the body of the question's function completes its stub. An answer that is an
    expression, such as ``lambda n: 2 * n``, is bound to the function's name.
    """
    if tests is None:
        return [answer]
    if tests.entry_point and not defines(answer, tests.entry_point):
        if _is_expression(answer) and not tests.stub:
            return [tests.preamble, f"{tests.entry_point} = (\n{answer}\n)"]
        if tests.stub:
            return [f"{tests.stub.rstrip()}\n{_indented(answer)}"]
    return [tests.preamble, answer]


def script(tests: AssertTests, *, whole: bool = False) -> Script:
    """Return the tests as units, each of which reports the actual value if it fails.

    A test that may run no assertion is followed by a unit that fails if it ran none. With
    ``whole``, all tests are one unit.

    Raises:
        UsageError: the tests assert nothing, or need a framework that is not supported.
    """
    setup = tests.preamble
    name = tests.entry_point
    if name.isidentifier() and (hasattr(builtins, name) or name in sys.stdlib_module_names):
        setup += f"\n{name} = __program__({name!r})"
    units = collect(tests.code, tests.entry_point)
    if whole:
        text = "\n".join(unit.source for unit in units)
        return Script((f"{counted(text)}\n{RAN}",), setup)
    if not any(unit.counted for unit in units):
        return Script(tuple(telling(unit.source) for unit in units), setup)
    found: list[str] = []
    for unit in units:
        found += [counted(unit.source), RAN] if unit.counted else [_noting(unit.source)]
    return Script(tuple(found), f"{setup}\n{START}")


def tested(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> list[tuple[Unit, Outcome]]:
    """Return the outcome of each test, without those that passed because they ran no assertion."""
    left, found = iter(outcomes), list[tuple[Unit, Outcome]]()
    for unit in units:
        outcome = next(left)
        ran = next(left).passed if unit.counted else True
        if ran or not outcome.passed:
            found.append((unit, outcome))
    return found


def telling(unit: str) -> str:
    """Return the unit, whose assertion reports the actual value if it is not the expected one."""
    tree = parse_python(unit)
    if tree is None or not tree.body:
        return unit
    *before, last = tree.body
    match last:
        case ast.Assert(ast.Compare(left, [ast.Eq()], [right]), None):
            wanted = ast.unparse(right)
            parts = [ast.unparse(ast.Module(before, [])), f"{GOT} = {ast.unparse(left)}"]
            parts += [f"assert {GOT} == {wanted}, 'it gave ' + repr({GOT})[:80]"]
            return "\n".join(filter(None, parts))
    return unit


def _noting(unit: str) -> str:
    """As ``telling``; functions before the assertion also record theirs for later units."""
    *before, last = ast.parse(unit).body
    parts = [ast.unparse(ast.Module(before, [])), telling(ast.unparse(last))]
    return "\n".join([counting(parts[0]), parts[1]] if before else parts[1:])


def defines(source: str, name: str) -> bool:
    """Return True if a program binds the name at module level."""
    tree = parse_python(source)
    if tree is None:
        return False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == name:
                return True
        elif any(isinstance(n, ast.Name | ast.alias) and name in _names(n) for n in ast.walk(node)):
            return True
    return False


def _names(node: ast.Name | ast.alias) -> set[str]:
    if isinstance(node, ast.alias):
        return {node.asname or node.name}
    return {node.id} if isinstance(node.ctx, ast.Store) else set()


def _is_expression(source: str) -> bool:
    tree = parse_python(source)
    return tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr)


def _indented(body: str) -> str:
    """Indent a function's body to the depth of its stub."""
    first = next((line for line in body.split("\n") if line.strip()), "")
    if first[:1] in (" ", "\t"):
        return body
    return "\n".join(f"    {line}" for line in body.split("\n"))

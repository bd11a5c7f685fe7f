"""What is run of an answer, and what of its tests: sources for a sandbox."""

from __future__ import annotations

import ast
import builtins

from ponder.answers.equivalence import parse_python
from ponder.core.problem import AssertTests
from ponder.sandbox.base import Script


def program(answer: str, tests: AssertTests | None = None) -> list[str]:
    """The sources to run, in their order; each is compiled alone, so one cannot end another.

    An answer that is the body of the question's function completes it; one that is an expression,
    such as ``lambda n: 2 * n``, is what the function is called.
    """
    if tests is None:
        return [answer]
    if tests.entry_point and not defines(answer, tests.entry_point):
        if _is_expression(answer) and not tests.stub:
            return [tests.preamble, f"{tests.entry_point} = (\n{answer}\n)"]
        if tests.stub:
            return [f"{tests.stub.rstrip()}\n{_indented(answer)}"]
    return [tests.preamble, answer]


GOT = "_ponder_got"
"""What a unit calls the value that its assertion compares."""


def script(tests: AssertTests, *, whole: bool = False) -> Script:
    """Each assertion with what stands before it is a unit, which says what the program gave instead
    of what was expected; or all of it is one, if ``whole``.
    """
    setup = tests.preamble
    if tests.entry_point.isidentifier() and hasattr(builtins, tests.entry_point):
        setup += f"\n{tests.entry_point} = __program__({tests.entry_point!r})"
    return Script((tests.code,) if whole else tuple(map(telling, units(tests.code))), setup)


def units(code: str) -> tuple[str, ...]:
    """The assertions on the outermost level, each with the statements before it."""
    tree = parse_python(code)
    if tree is None:
        return (code,)
    found: list[str] = []
    waiting: list[ast.stmt] = []
    for node in tree.body:
        waiting.append(node)
        if isinstance(node, ast.Assert):
            found.append(ast.unparse(ast.Module(waiting, [])))
            waiting = []
    if waiting:
        found.append(ast.unparse(ast.Module(waiting, [])))
    return tuple(found)


def telling(unit: str) -> str:
    """The unit, whose assertion says what was there if that is not equal to what should be."""
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


def claim(unit: str) -> str:
    """What a unit asserts, on one line."""
    return " ".join(unit.rstrip().rsplit("\nassert ", 1)[-1].removeprefix("assert ").split())


def defines(source: str, name: str) -> bool:
    """Whether a program binds the name on its outermost level."""
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
    """A function's body, at the depth of its stub."""
    first = next((line for line in body.splitlines() if line.strip()), "")
    if first[:1] in (" ", "\t"):
        return body
    return "\n".join(f"    {line}" for line in body.splitlines())

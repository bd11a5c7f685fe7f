"""A static analysis of the statements of a test that can fail a program; nothing is run.

Cases that cannot be decided here (a loop over a list that turns out to be empty) are counted when
the tests run (``verifiers.execution.counting``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_STOPS = frozenset({"exit", "quit", "_exit", "fail"})


def dotted(node: ast.AST) -> str:
    """Return the name or attribute as written, such as ``unittest.TestCase``; else ''."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return ""


def constant(test: ast.expr) -> bool:
    """True if the condition contains no name, so that no program can change it."""
    return not any(isinstance(part, ast.Name) for part in ast.walk(test))


def always_true(test: ast.expr) -> bool:
    """True if the condition holds whatever the program does, as ``(x == 1, "message")`` does."""
    match test:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return any(not isinstance(part, ast.Starred) for part in parts)
        case ast.Dict(keys=keys):
            return any(key is not None for key in keys)
        case ast.Lambda() | ast.GeneratorExp():
            return True
        case ast.JoinedStr(values=values):
            return any(isinstance(v, ast.Constant) and bool(v.value) for v in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_true(v) or always_true(v) for v in values)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(always_true(v) for v in values)
    return False


def never_true(test: ast.expr) -> bool:
    """True for ``assert False`` and the like, which mark a line that must not be reached."""
    return isinstance(test, ast.Constant) and not test.value


def _true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def called(node: ast.AST) -> str:
    """Return the last part of the name that a call (or a call statement) calls; else ''."""
    if isinstance(node, ast.Expr):
        node = node.value
    if isinstance(node, ast.Call):
        name = node.func
        return name.attr if isinstance(name, ast.Attribute) else dotted(name)
    return ""


def is_assertion(node: ast.AST, own: Iterable[str] = ()) -> bool:
    """True for a call of a library's assertion, such as ``self.assertEqual(...)``."""
    name = called(node)
    return name.lower().startswith("assert") and name not in own


def gives_up(body: Sequence[ast.stmt]) -> bool:
    """True if the block ends by failing the test: ``raise``, ``assert False``, ``fail()``."""
    last = body[-1] if body else None
    if isinstance(last, ast.Assert):
        return never_true(last.test)
    return isinstance(last, ast.Raise) or (isinstance(last, ast.Expr) and called(last) in _STOPS)


def live(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield all nodes that a block may run: no function that it defines, no branch that is never
    taken.
    """
    for node in body:
        if isinstance(node, DEFINITIONS):
            continue
        yield from _within(node)
        if isinstance(node, _ENDS):
            return


def _within(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            yield from ast.walk(test)
            yield from () if never_true(test) else live(body)
            yield from () if _true(test) else live(orelse)
        case ast.While(test=test, body=body, orelse=orelse):
            yield from ast.walk(test)
            yield from () if never_true(test) else live(body)
            yield from live(orelse)
        case ast.For(iter=values, body=body, orelse=orelse):
            yield from ast.walk(values)
            yield from () if _empty(values) else live(body)
            yield from live(orelse)
        case _:
            for _, value in ast.iter_fields(node):
                if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                    yield from live(value)
                else:
                    parts = value if isinstance(value, list) else [value]
                    for part in parts:
                        if isinstance(part, ast.AST):
                            yield from _within(part)


def _empty(values: ast.expr) -> bool:
    match values:
        case ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Constant(value=value):
            return not value
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(most))]):
            return most <= 0
    return False


def asserts(body: Sequence[ast.stmt], names: frozenset[str], own: frozenset[str]) -> bool:
    """True if the block may fail a program.

    ``names`` are the test functions that may do so, ``own`` all names that the tests define.
    """
    for node in live(body):
        if isinstance(node, ast.Assert):
            if never_true(node.test) or not constant(node.test):
                return True
        elif isinstance(node, ast.Raise) or is_assertion(node, own) or called(node) in _STOPS:
            return True
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in names:
                return True
    return False


def asserting(tree: ast.Module) -> frozenset[str]:
    """Return the names of all functions and classes of the tests that may fail a program."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, DEFINITIONS)]
    own = defined(tree)
    names, before = frozenset[str](), None
    while names != before:
        before = names
        names |= {node.name for node in nodes if _defines_one(node, names, own)}
    return names


def defined(tree: ast.Module) -> frozenset[str]:
    """Return the names of all functions and classes that the tests define, including methods."""
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, DEFINITIONS))


def _defines_one(node: ast.stmt, names: frozenset[str], own: frozenset[str]) -> bool:
    assert isinstance(node, DEFINITIONS)
    if isinstance(node, ast.ClassDef):
        return any(n.name in names for n in node.body if isinstance(n, DEFINITIONS))
    return asserts(node.body, names, own)

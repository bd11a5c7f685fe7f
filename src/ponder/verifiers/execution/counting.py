"""Counts the assertions that run, so that a test which ran none never passes.

Each assertion is rewritten to record that it held or failed, in a list of the tests' process that
no program ever sees. So a failed assertion counts even if the test catches its own failure.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ponder.core.collecting.assertions import (
    constant,
    defined,
    gives_up,
    is_assertion,
    never_true,
)

SEEN = "_ponder_seen"
"""True or False for each assertion that ran, and None at the end of a test that passed."""
GOT = "_ponder_got"
"""Name of the value that an assertion compares."""
START = f"{SEEN} = []"
RAN = f"assert True in {SEEN} and {SEEN}[-1] is None, 'no assertion ran'"
"""An assertion that holds only after a passed test that ran an assertion."""
_END = (
    f"assert False not in {SEEN}, 'an assertion failed, and the tests went on'\n{SEEN}.append(None)"
)
_BROAD = frozenset({"Exception", "BaseException", "AssertionError"})


def counted(source: str) -> str:
    """Return the source, rewritten to record its assertions and to fail if one of them failed."""
    return f"{START}\n{counting(source)}\n{_END}"


def counting(source: str) -> str:
    """Return the source, rewritten to record the assertions that it runs."""
    tree = ast.parse(source)
    return ast.unparse(ast.fix_missing_locations(_Counting(defined(tree)).visit(tree)))


def _note(held: bool) -> ast.stmt:
    return ast.parse(f"{SEEN}.append({held})").body[0]


class _Counting(ast.NodeTransformer):
    def __init__(self, own: frozenset[str]) -> None:
        self.own = own

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        """Record the truth of the condition, then fail as before."""
        if never_true(node.test):
            return [_note(False), node]
        if constant(node.test):
            return [node]
        before: list[ast.stmt] = []
        test, message = node.test, node.msg
        shown: ast.expr = ast.Constant(ast.unparse(test)[:200])
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            before = [ast.Assign([ast.Name(GOT, ast.Store())], test.left)]
            test = ast.Compare(ast.Name(GOT, ast.Load()), test.ops, test.comparators)
            told = ast.parse(f"': it gave ' + repr({GOT})[:80]", mode="eval").body
            shown = ast.BinOp(shown, ast.Add(), told)
        failing = ast.Assert(ast.Constant(False), message or shown)
        return [*before, ast.If(test, [_note(True)], [_note(False), failing])]

    def visit_Raise(self, node: ast.Raise) -> list[ast.stmt]:
        """Record an AssertionError that the test raises itself."""
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        own = isinstance(raised, ast.Name) and raised.id == "AssertionError"
        return [_note(False), node] if own else [node]

    def visit_If(self, node: ast.If) -> ast.stmt:
        """Record that a condition under which the test fails was not met."""
        fails = gives_up(node.body) and not constant(node.test)
        self.generic_visit(node)
        if fails:
            node.orelse = [_note(True), *node.orelse]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """Record the truth of a library's assertion."""
        if not is_assertion(node, self.own):
            return node
        failed = ast.ExceptHandler(
            ast.Name("AssertionError", ast.Load()), None, [_note(False), ast.Raise()]
        )
        return ast.Try([node], [failed], [_note(True)], [])

    def visit_With(self, node: ast.With) -> list[ast.stmt]:
        """Record that ``with self.assertRaises(E)`` held."""
        self.generic_visit(node)
        holds = any(is_assertion(item.context_expr, self.own) for item in node.items)
        return [node, _note(True)] if holds else [node]

    def visit_Try(self, node: ast.Try) -> ast.stmt:
        """Record that an exception was raised which the test expects or tolerates."""
        expected = _expects(node.body) or gives_up(node.orelse)
        checked = any(isinstance(part, ast.Assert) for part in node.body)
        self.generic_visit(node)
        for handler in node.handlers:
            if expected or (checked and not _is_broad(handler.type)):
                handler.body = [_note(True), *handler.body]
        return node


def _expects(body: Sequence[ast.stmt]) -> bool:
    return len(body) > 1 and gives_up(body)


def _is_broad(kind: ast.expr | None) -> bool:
    parts = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(part is None or (isinstance(part, ast.Name) and part.id in _BROAD) for part in parts)

"""Rewrites tests for a framework into plain Python: launchers and imports are removed."""

from __future__ import annotations

import ast
import sys

from ponder.core.collecting.assertions import dotted
from ponder.core.errors import UsageError

_FOREIGN = frozenset({"hypothesis", "nose", "nose2", "behave", "robot"})
_LAUNCHERS = frozenset(
    {"unittest.main", "pytest.main", "doctest.testmod", "doctest.run_docstring_examples"}
)
_EXITS = frozenset({"exit", "quit", "sys.exit"})


def rewritten(tree: ast.Module, entry_point: str) -> tuple[ast.Module, bool]:
    """Return the tests without launchers and imports of the program; True if they request doctests.

    Raises:
        UsageError: they need a framework that is not supported.
    """
    body, names = [], dict[str, str]()
    asks = False
    for node in _as_main(tree.body):
        kept = _imported(node, entry_point, names)
        if launched := _launched(node, names):
            asks = asks or "doctest" in launched
            kept = []
        body += kept
    made = ast.Module(body, [])
    doc = ast.get_docstring(tree, clean=False)
    if doc is None and ast.get_docstring(made) is not None:
        made.body.insert(
            0, ast.Pass()
        )  # a string that is now the first statement is not a docstring
    made = _Rewriting(names).visit(made)
    return ast.fix_missing_locations(made), asks


def _as_main(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that run when the source is run as a program."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If) and (meant := _is_main(node.test)) is not None:
            found += _as_main(node.body if meant else node.orelse)
        else:
            found.append(node)
    return found


def _is_main(test: ast.expr) -> bool | None:
    """True for ``__name__ == "__main__"``, False for ``!=``; None for anything else."""
    match test:
        case (
            ast.Compare(
                left=ast.Name(id="__name__"), ops=[op], comparators=[ast.Constant(value="__main__")]
            )
            | ast.Compare(
                left=ast.Constant(value="__main__"), ops=[op], comparators=[ast.Name(id="__name__")]
            )
        ):
            if isinstance(op, ast.Eq | ast.NotEq):
                return isinstance(op, ast.Eq)
    return None


def _imported(node: ast.stmt, entry_point: str, names: dict[str, str]) -> list[ast.stmt]:
    """Return the part of a statement that stays; add the names of imported frameworks to
    ``names``.
    """
    if isinstance(node, ast.Import):
        kept = []
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root in _FOREIGN:
                raise _needs(root)
            if root in ("pytest", "unittest", "doctest"):
                names[alias.asname or root] = alias.name if alias.asname else root
            if alias.name == "solution":
                names[alias.asname or root] = "solution"
            elif root != "pytest":
                kept.append(alias)
        return [ast.Import(kept)] if kept else []
    if not isinstance(node, ast.ImportFrom):
        return [node]
    module = node.module or ""
    root = module.partition(".")[0]
    if root in _FOREIGN:
        raise _needs(root)
    for alias in node.names:
        if root in ("pytest", "unittest", "doctest") and not node.level:
            names[alias.asname or alias.name] = f"{module}.{alias.name}"
    if root == "pytest" or module == "__future__":
        return []
    theirs = entry_point in {alias.name for alias in node.names} or "*" in {
        alias.name for alias in node.names
    }
    if node.level or root == "solution" or (theirs and root not in sys.stdlib_module_names):
        return [  # a name that the tests do not define belongs to the program
            ast.Assign([ast.Name(a.asname, ast.Store())], ast.Name(a.name, ast.Load()), lineno=1)
            for a in node.names
            if a.asname and a.asname != a.name
        ]
    return [node]


def _needs(what: str) -> UsageError:
    return UsageError(
        f"the tests need `{what}`, which is not run here: expected plain assertions, functions "
        "`test_...` without fixtures, or `unittest.TestCase`; write them so."
    )


def _launched(node: ast.stmt, names: dict[str, str]) -> str:
    """Return the name called by a statement that starts a framework or exits
    successfully; else ''.
    """
    inner = node.exc if isinstance(node, ast.Raise) else node
    if isinstance(inner, ast.Expr | ast.Assign):
        inner = inner.value
    if not isinstance(inner, ast.Call):
        return ""
    for part in ast.walk(inner):
        if isinstance(part, ast.Call) and (name := full(part.func, names)) in _LAUNCHERS:
            return name
    name = full(inner.func, names)
    well = not inner.args or (
        isinstance(inner.args[0], ast.Constant) and inner.args[0].value in (0, None)
    )
    return name if well and (name in _EXITS or name == "SystemExit") else ""


def full(node: ast.AST, names: dict[str, str]) -> str:
    """Return a dotted name with its module, whatever it was imported as."""
    first, dot, rest = dotted(node).partition(".")
    return f"{names.get(first, first)}{dot}{rest}"


class _Rewriting(ast.NodeTransformer):
    """Replaces pytest's ``raises`` and ``fail`` by plain statements, and ``solution.f``
    by ``f``.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """``solution.f`` is ``f``."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and self.names.get(node.value.id) == "solution":
            return ast.Name(node.attr, node.ctx)
        if isinstance(node.value, ast.Name) and self.names.get(node.value.id) == "pytest":
            return ast.Attribute(ast.Name("pytest", ast.Load()), node.attr, node.ctx)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """``raises`` imported from pytest is ``pytest.raises``."""
        name = self.names.get(node.id, "")
        if name.startswith("pytest."):
            return ast.Attribute(ast.Name("pytest", ast.Load()), name[7:], ast.Load())
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """``pytest.fail(reason)`` fails."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and dotted(node.value.func) == "pytest.fail":
            given = [*node.value.args, *(k.value for k in node.value.keywords)]
            return ast.Assert(ast.Constant(False), given[0] if given else None)
        return node

    def visit_With(self, node: ast.With) -> ast.AST:
        """``with pytest.raises(E)`` is ``try`` and ``except E``."""
        self.generic_visit(node)
        [first, *more] = node.items
        call = first.context_expr
        if not isinstance(call, ast.Call) or dotted(call.func) != "pytest.raises":
            return node
        match = next((k.value for k in call.keywords if k.arg == "match"), None)
        known = len(call.args) == 1 and {k.arg for k in call.keywords} <= {"match"}
        if more or first.optional_vars is not None or not known:
            raise _needs("pytest.raises(...) as NAME")
        holds = ast.parse("__import__('re').search(0, str(_ponder_error))", mode="eval").body
        assert isinstance(holds, ast.Call)
        if match is not None:
            holds.args[0] = match
        return ast.Try(
            node.body,
            [
                ast.ExceptHandler(
                    call.args[0],
                    "_ponder_error",
                    [ast.Pass() if match is None else ast.Assert(holds, None)],
                )
            ],
            [ast.Assert(ast.Constant(False), ast.Constant("it raised nothing"))],
            [],
        )


def refuse_pytest(node: ast.AST) -> None:
    """Refuse any remaining use of pytest.

    Raises:
        UsageError: there is one.
    """
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and dotted(part).startswith("pytest."):
            raise _needs(dotted(part))
        if isinstance(part, ast.Name) and part.id == "pytest":
            raise _needs("pytest")

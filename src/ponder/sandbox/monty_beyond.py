"""Errors of ``monty`` that say nothing of a program: the interpreter lacks what it asks for.

The text of an error is the program's to choose, so it decides nothing by itself. The place where
the interpreter says that it was raised must be an import, a name or an attribute that Python has
under that name; what a program raises of its own is raised at a ``raise``. For syntax that the
interpreter does not know, its parser is asked again, with nothing run.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

from ponder.answers.equivalence import parse_python

_FEED = re.compile(r"<python-input-(\d+)>")
_PARSER = "The monty syntax parser"
_SUSPENDS = re.compile(r"external function '(\w+)' cannot suspend in this synchronous context")
_NO_MODULE = re.compile(r"No module named '(\w+)")
_NO_IMPORT = re.compile(r"cannot import name '(\w+)' from '(\w+)'")
_NO_NAME = re.compile(r"name '(\w+)' is not defined")
_NO_ATTRIBUTE = re.compile(r"module '(\w+)' has no attribute '(\w+)'")
_NO_MEMBER = re.compile(r"(?:type object )?'(\w+)' (?:object )?has no attribute '(\w+)'")


def beyond(
    error: BaseException,
    frames: Sequence[Any],
    sources: Sequence[str],
    given: Container[str],
    unparsable: Callable[[str], bool],
) -> bool:
    """Return True if the interpreter lacks what the code at the innermost frame asks for.

    ``sources`` are those that its session was fed, ``given`` the names by which it may call the
    host. ``unparsable`` returns True for a source whose syntax the interpreter's parser lacks.
    """
    kind, text = type(error), str(error)
    if kind is NotImplementedError and text.startswith(_PARSER):
        return unparsable(sources[-1])
    found = _FEED.fullmatch(frames[-1].filename) if frames else None
    tree = parse_python(sources[int(found[1])]) if found and int(found[1]) < len(sources) else None
    node = _at(tree, frames[-1], sources[int(found[1])]) if tree and found else None
    return tree is not None and node is not None and _lacks(kind, text, node, _bound(tree), given)


def _lacks(kind: type, text: str, node: ast.AST, bound: set[str], given: Container[str]) -> bool:
    """Return True if the node asks for what the error reports missing, and Python has it."""
    used = node.func if isinstance(node, ast.Call) else node
    if kind is ModuleNotFoundError and (found := _NO_MODULE.match(text)):
        return found[1] in sys.stdlib_module_names and isinstance(node, ast.Import | ast.ImportFrom)
    if kind is ImportError and (found := _NO_IMPORT.match(text)):
        return _has_module(found[2], found[1]) and isinstance(node, ast.ImportFrom)
    if kind is NameError and (found := _NO_NAME.fullmatch(text)):
        name = found[1]
        return hasattr(builtins, name) and name not in bound and _named(used) == name
    if kind is NotImplementedError and (found := _SUSPENDS.fullmatch(text)):
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        lent = found[1] in given or hasattr(builtins, found[1])
        return lent and found[1] in names - bound
    if kind is AttributeError and isinstance(used, ast.Attribute):
        if found := _NO_ATTRIBUTE.fullmatch(text):
            return used.attr == found[2] and _has_module(found[1], found[2])
        if found := _NO_MEMBER.fullmatch(text):
            member = getattr(builtins, found[1], None)
            has = isinstance(member, type) and hasattr(member, found[2])
            return has and found[1] not in bound and used.attr == found[2]
    return False


def _has_module(module: str, name: str) -> bool:
    """Return True if Python's module has the name, or may have it (if it is not imported here)."""
    held = sys.modules.get(module)
    return module in sys.stdlib_module_names and (held is None or hasattr(held, name))


def _named(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that a program binds, anywhere."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Name(name, ast.Store() | ast.Del()) | ast.arg(name):
                found.add(name)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                found.add(name)
            case ast.alias(name, asname):
                found.add(asname or name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                found.add(name)
    return found


def _at(tree: ast.Module, frame: Any, source: str) -> ast.stmt | ast.expr | None:
    """Return the statement or expression of a frame, unless a ``raise`` merely raises it again.

    A statement that is an expression stands where the expression does, which says more.
    """
    lines = source.split("\n")
    place = (frame.line, frame.column - 1, frame.end_line, frame.end_column - 1)
    for node in _unraised(tree):
        if isinstance(node, ast.Expr):
            continue
        if isinstance(node, ast.stmt | ast.expr) and place == (
            node.lineno,
            _characters(lines, node.lineno, node.col_offset),
            node.end_lineno,
            _characters(lines, node.end_lineno, node.end_col_offset),
        ):
            return node
    return None


def _characters(lines: Sequence[str], line: int | None, offset: int | None) -> int:
    """Convert an offset in bytes into one in characters."""
    if line is None or offset is None or line > len(lines):
        return -1
    return len(lines[line - 1].encode()[:offset].decode(errors="replace"))


def _unraised(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes below, except raised expressions and the types that a handler names."""
    yield node
    if isinstance(node, ast.Raise):
        return
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.ExceptHandler) and child is node.type):
            yield from _unraised(child)

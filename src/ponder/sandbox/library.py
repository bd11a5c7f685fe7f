"""Modules of the standard library that tests use, decided by the text of the tests alone.

A test that says ``math.isclose`` and forgot the import gets the library's ``math``, never something
that the program calls so.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ponder.answers.equivalence import parse_python
from ponder.sandbox.base import Script

_NUMBERS = ("fractions", "decimal")


def with_library(script: Script) -> Script:
    """Return the script, whose setup imports the modules that its tests use without an import."""
    return _with(script, [f"import {name}" for name in library((script.setup, *script.units))])


def with_numbers(script: Script, program: Sequence[str]) -> Script:
    """Return the script, whose setup imports the modules of number classes that the program names.

    Their instances cross as data, and nothing is imported because one arrives.
    """
    texts = (*program, script.setup, *script.units)
    used = [name for name in _NUMBERS if any(name in text for text in texts)]
    return _with(script, [f"__import__({name!r})" for name in used])


def library(sources: Iterable[str]) -> list[str]:
    """Return the modules whose attributes the sources use by a name neither bound nor called."""
    bases, bound = set[str](), set[str]()
    for source in sources:
        tree = parse_python(source)
        for node in ast.walk(tree) if tree else ():
            match node:
                case ast.Attribute(ast.Name(name, ast.Load())):
                    bases.add(name)
                case ast.Call(ast.Name(name)):  # no module can be called: it is the program's
                    bound.add(name)
                case ast.Name(name, ast.Store() | ast.Del()) | ast.arg(name):
                    bound.add(name)
                case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                    bound.add(name)
                case ast.alias(name, asname):
                    bound.add(asname or name.partition(".")[0])
    return sorted((bases - bound) & sys.stdlib_module_names)


def _with(script: Script, lines: list[str]) -> Script:
    """Return the script with further lines in its setup, after those that must come first."""
    tree = parse_python(script.setup)
    if not lines or tree is None:
        return script
    first = max(
        (
            node.end_lineno or 0
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ),
        default=0,
    )
    setup = script.setup.split("\n")
    return replace(script, setup="\n".join([*setup[:first], *lines, *setup[first:]]))

"""The examples in a function's docstring, as assertions: public tests that a question brings along.

Two ways to write one are read: a doctest (``>>> f(1)`` and its result on the next line), and a call
with its result behind it on one line (``f(1) == 2``, ``f(1) => 2``, ``f(1) ➞ 2``, ``f(1) returns
2``). In both the result must be a literal, in the second the arguments too; anything else is prose.
"""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterator

from ponder.answers.equivalence import parse_python

_BEHIND = re.compile(r"\s*(?:#\s*)?(?:={1,3}>|-+>|==|=|➞|→|⇒|(?:should\s+)?returns?\b)\s*:?\s*")
_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None"}
_LONGEST_CALL = 2_000


def examples(source: str, name: str) -> str:
    """Return the examples in the docstring of function ``name``, one assertion a line.

    Each once.
    """
    tree = parse_python(source)
    texts = [
        ast.get_docstring(node) or ""
        for node in (tree.body if tree else ())
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    found = [test for text in texts for test in (*_doctests(text, name), *_lines(text, name))]
    return "\n".join(dict.fromkeys(found))


def _doctests(text: str, name: str) -> Iterator[str]:
    try:
        parts = doctest.DocTestParser().get_examples(text)
    except ValueError:  # not quite a doctest
        return
    for part in parts:
        source, result = part.source.strip(), part.want.strip()
        if name in source and "\n" not in source and _is_literal(result):
            result = " ".join(result.split("\n"))
            yield f"assert {source} == {result}"


def _lines(text: str, name: str) -> Iterator[str]:
    for call in re.finditer(rf"(?<![\w.]){re.escape(name)}\(", text):
        end = _closed(text, call.end())
        behind = _BEHIND.match(text, end) if end else None
        if end is None or behind is None:
            continue
        source = " ".join(text[call.start() : end].split("\n"))
        result = text[behind.end() :].split("\n", 1)[0].strip().strip("`").rstrip(".")
        result = _WORDS.get(result, result)
        if _is_literal(result) and _has_literal_arguments(source):
            yield f"assert {source} == {result}"


def _closed(text: str, start: int) -> int | None:
    """Return the position where the bracket opened before ``start`` closes.

    None if it never does.
    """
    depth, quote = 1, ""
    for at in range(start, min(len(text), start + _LONGEST_CALL)):
        letter = text[at]
        if quote:
            quote = "" if letter == quote and text[at - 1] != "\\" else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
            if not depth:
                return at + 1
    return None


def _has_literal_arguments(source: str) -> bool:
    tree = parse_python(source)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return False
    call = tree.body[0].value
    if not isinstance(call, ast.Call):
        return False
    return all(_is_literal(a) for a in (*call.args, *(k.value for k in call.keywords)))


def _is_literal(source: str | ast.expr) -> bool:
    try:
        ast.literal_eval(source)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return False
    return True

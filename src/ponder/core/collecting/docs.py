"""Docstring examples of tests, as statements with the comparison that ``doctest`` makes."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator

from ponder.core.collecting.assertions import DEFINITIONS
from ponder.core.errors import UsageError

_GOT = "_ponder_shown"
_ERROR = "_ponder_error"


def examples(tree: ast.Module) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Yield each example as (claim, statements).

    Raises:
        UsageError: an example expects printed output, which two processes do not share.
    """
    for node in (tree, *(n for n in ast.walk(tree) if isinstance(n, DEFINITIONS))):
        text = ast.get_docstring(node)
        if not text:
            continue
        try:
            parts = doctest.DocTestParser().get_examples(text)
        except ValueError as error:
            raise UsageError(f"the tests hold no doctest that can be read: {error}.") from None
        for part in parts:
            if part.options.get(doctest.SKIP):
                continue
            source = part.source.strip()
            yield " ".join(source.split())[:200], ast.parse(_statements(source, part)).body


def _statements(source: str, part: doctest.Example) -> str:
    tree = ast.parse(source)
    if part.exc_msg is not None:
        kind = part.exc_msg.partition(":")[0].strip()
        said, wanted = f"type({_ERROR}).__name__", kind.rpartition(".")[2]
        if not part.options.get(doctest.IGNORE_EXCEPTION_DETAIL):
            said = f"({said} + ': ' + str({_ERROR})).removesuffix(': ')"
            wanted = part.exc_msg.strip()
        return (
            f"try:\n{_indented(source)}\nexcept Exception as {_ERROR}:\n"
            f"    assert {said} == {wanted!r}\n"
            f"else:\n    assert False, 'it raised nothing'"
        )
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        if part.want.strip():
            raise _printed(source)
        return source
    if not part.want.strip():
        return f"assert ({source}) is None"
    want = part.want.strip()
    if not _is_value(want):
        raise _printed(source)
    lines = f"{_GOT} = repr({source})\n"
    if part.options.get(doctest.ELLIPSIS) and "..." in want:
        start, _, end = want.partition("...")
        return (
            f"{lines}assert {_GOT}.startswith({start!r}) and {_GOT}.endswith({end!r}), {_GOT}[:80]"
        )
    if part.options.get(doctest.NORMALIZE_WHITESPACE):
        want, lines = " ".join(want.split()), f"{lines}{_GOT} = ' '.join({_GOT}.split())\n"
    return f"{lines}assert {_GOT} == {want!r}, 'it gave ' + {_GOT}[:80]"


def _is_value(want: str) -> bool:
    """True if the text looks like a ``repr``; a bare word is printed output."""
    try:
        tree = ast.parse(want, mode="eval")
    except (SyntaxError, ValueError):
        return "..." in want or want.startswith("<")
    return not isinstance(tree.body, ast.Name)


def _printed(source: str) -> UsageError:
    shown = " ".join(source.split())[:60]
    return UsageError(
        f"the tests' example `{shown}` expects printed text, which is not compared: expected a "
        "value; use tests of input and output for what a program prints."
    )


def _indented(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.split("\n"))

"""Python that stands in prose without any mark: the statements between its paragraphs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ponder.answers.blocks import CODE, straight
from ponder.answers.equivalence import LONGEST_PROGRAM, parse_python

_CONTINUES = re.compile(r"(?:[ \t]|[)\]}]|(?:else|elif|except|finally)\b)|\Z")


def statements(text: str) -> list[str]:
    """Return the parts of a text that are Python, in their order; prose parts them."""
    if len(text) > LONGEST_PROGRAM:
        return []
    whole = straight(text.replace("\r\n", "\n").rstrip())
    tree = parse_python(whole)
    if works(tree, calls=False):
        return [whole]
    found: list[list[str]] = [[]]
    for chunk in _chunks(whole):
        first, _, rest = chunk.partition("\n")
        if first.startswith("#") or _is_python(chunk):
            found[-1].append(chunk)
            continue
        found.append([])
        # Markdown's other way to write a block: prose, and below it lines that are indented.
        inner = straight(rest.rstrip())
        if rest.strip() and _is_python(inner):
            found[-1].append(inner)
    parts = ["\n".join(chunks) for chunks in found]
    return [part for part in parts if works(parse_python(part))]


def _chunks(text: str) -> Iterator[str]:
    """Yield each line that is not indented, with the lines that continue it."""
    lines: list[str] = []
    quotes = 0  # of the strings of several lines that began in the chunk
    for line in text.split("\n"):
        code = bool(lines) and CODE.match(lines[0]) is not None
        within = code and (quotes % 2 == 1 or line.startswith("#"))
        if lines and not within and not _CONTINUES.match(line) and not lines[-1].startswith("@"):
            yield "\n".join(lines)
            lines, quotes = [], 0
        lines.append(line)
        quotes += line.count('"""') + line.count("'''")
    yield "\n".join(lines)


def _is_python(chunk: str) -> bool:
    begins = re.search(r"^[^#\s].*", chunk, re.M)
    return begins is not None and bool(CODE.match(begins[0])) and works(parse_python(chunk))


def works(tree: ast.Module | None, *, calls: bool = True) -> bool:
    """Return True if a program does something: a word of prose is valid Python too.

    Without ``calls``, expressions do not count: 'Solution (recursive)' is a call.
    """
    return tree is not None and any(
        not _is_idle(node) and (calls or not isinstance(node, ast.Expr)) for node in tree.body
    )


def _is_idle(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value):
            acts = (ast.Call, ast.Lambda, ast.Await, ast.Yield, ast.ListComp)
            return not any(isinstance(part, acts) for part in ast.walk(value))
        case ast.AnnAssign(value=None):  # 'Note: this'
            return True
    return False

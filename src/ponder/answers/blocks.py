"""Blocks of code in a reply, as models write them.

A block begins at a fence of backticks or tildes, anywhere in a line, and ends at the next fence of
its kind. Models glue fences to code and to prose, indent them, quote them, forget the last one, and
write code that holds fences in its strings. So where the first fence that could end a block is not
the first outside of Python's strings and comments, the latter ends the block if what stands before
it is Python.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ponder.answers.equivalence import LONGEST_PROGRAM, parse_python

PYTHON = re.compile(
    r"(?:i|micro|c)?py(?:thon)?[-_ ]?[\d.]*(?:-(?:code|script))?|pypy[\d.]*|pyi|sage|jupyter|"
    r".*\.pyi?"
)
"""Names of languages that are Python."""
LARGEST_OVERLAP = 400_000
"""Most characters read twice to find the ends of all blocks, so that the time stays linear."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block, without its fences."""

    language: str
    """The language that its fence names, in lower case, or empty."""
    content: str
    start: int
    """Position of its first character, with its fence or tag."""
    end: int
    """Position behind its last character, with its fence or tag."""
    closed: bool = True
    inline: bool = False
    """True if its fences stand on one line."""


_LEAD = r"(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*+"
_FENCE = re.compile(rf"(?P<lead>^{_LEAD})?(?P<mark>`{{3,}}|~{{3,}})", re.M)
_BLANK = re.compile(r"[ \t\r]*(?=\n|\Z)")
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.M)
_ONLY_INDENT = re.compile(r"[ \t>]*")
_LONG = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)'
    r"|'''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\.)*+(?:"|$)'
    r"|'(?:[^'\\\n]|\\.)*+(?:'|$)"
    r"|\#[^\n]*"
    r"|(?P<mark>`{3,}|^[ \t>]*~{3,}(?=[ \t\r]*$))",
    re.M | re.S,
)


def fenced(text: str) -> list[Block]:
    """Return the fenced blocks of a text, in their order. The last may lack its end."""
    blocks: list[Block] = []
    at, line_end, spare = 0, -1, LARGEST_OVERLAP
    while opening := _FENCE.search(text, at):
        mark, begin = opening["mark"], opening.end()
        at = begin
        if mark[0] == "~" and opening["lead"] is None:
            continue
        if begin > line_end:
            line_end = text.find("\n", begin)
            line_end = len(text) if line_end < 0 else line_end
        inner = text.find("```", begin, line_end) if mark[0] == "`" else -1
        if inner >= 0:
            language, code = _opened(text[begin:inner])
            language, code = (language, code) if code else ("", 0)
            at = inner + len(_FENCE.match(text, inner)["mark"])  # type: ignore[index]
            content = text[begin + code : inner].strip()
            blocks.append(Block(language, content, opening.start(), at, inline=True))
            continue
        language, code = _opened(text[begin:line_end])
        if language in ("markdown", "md"):  # the blocks within it are the reply's
            at = line_end
            continue
        start = min(line_end + 1, len(text)) if code is None else begin + code
        (end, at, closed), overlap = _end(text, start, mark, language, spare)
        spare -= overlap
        content = text[start:end]
        if ">" in (opening["lead"] or ""):
            content = _QUOTE.sub("", content)
        content = content.replace("\r\n", "\n").rstrip()
        blocks.append(Block(language, content, opening.start(), at, closed))
    return blocks


# Beginnings ---------------------------------------------------------------------------------------

CODE = re.compile(
    r"(?:async[ ]+)?def[ ]+\w+[ ]*\(|class[ ]+\w+[ ]*[(:]|import[ ]+\w|from[ ]+[\w.]+[ ]+import\b"
    r"|@\w|(?:for|while|with|if|match)\b.*:|try[ ]*:|(?:return|yield|global|assert|raise|del)\b"
    r"|\w[\w.]*\(|\(?\w[\w.]*(?:\[[^\]\n]*\])*(?:,[ ]*\*?\w[\w.]*(?:\[[^\]\n]*\])*)*\)?[ ]*"
    r"(?:[-+*/|&^%@]|//|\*\*|<<|>>)?=(?!=)[ ]*\S|\w+[ ]*:[^=\n]*=(?!=)"
    r"|lambda\b|[rbfu]?\"\"\"|[rbfu]?'''"
)
"""The beginning of a line that may be Python, and is not a word of prose."""
_ATTRIBUTE = re.compile(r"[\w-]+=(?:\"[^\"]*\"|'[^']*'|[\w./-]+)(?:[\s,].*)?$")
_WORD = re.compile(r"[ \t]*\{?[ \t]*\.?(?P<word>[\w+#./-]*)\}?")
_GLUED = re.compile(r"[ \t]*(?P<word>python3?|py3?)(?=(?:def|class|import|from|async|print)\b|@)")


def _opened(info: str) -> tuple[str, int | None]:
    """Return the language after a fence, and where code begins that is glued to it, if any is."""
    if glued := _GLUED.match(info):
        return glued["word"], glued.end()
    indent = len(info) - len(info.lstrip())
    if CODE.match(info, indent) and not _ATTRIBUTE.match(info, indent):
        return "", indent
    word = _WORD.match(info)
    assert word is not None
    language = word["word"].lower().removeprefix("language-").removeprefix("lang-").rstrip(".")
    behind = word.end() + len(info[word.end() :]) - len(info[word.end() :].lstrip(" \t:"))
    if CODE.match(info, behind) and not _ATTRIBUTE.match(info, behind):
        return language, behind
    return language, None


# Ends ---------------------------------------------------------------------------------------------


_Found = tuple[int, int, bool]
"""The end of the content, the place to go on, and True if a fence ends the block."""


def _end(text: str, start: int, mark: str, language: str, spare: int) -> tuple[_Found, int]:
    """Return the end of a block, and how many characters were read in vain to find it."""
    plain = _plain_end(text, start, mark)
    if language and not PYTHON.fullmatch(language):
        return plain or (len(text), len(text), False), 0
    last = min(len(text), start + LONGEST_PROGRAM, start + spare)
    outside = _outside_end(text, start, last, mark)
    if outside == plain is not None:
        return plain, 0
    overlap = (outside[0] if outside else last) - start
    if outside and parse_python(straight(text[start : outside[0]])):
        return outside, overlap
    return plain or outside or (len(text), len(text), False), overlap


def _plain_end(text: str, start: int, mark: str) -> _Found | None:
    """Return the end at the first fence that is alone on its line, or last on it."""
    for fence in _FENCE.finditer(text, start):
        if not fence["mark"].startswith(mark):
            continue
        if fence["lead"] is not None:
            return _at_line_start(text, fence.start(), fence.end())
        if mark[0] == "`" and _BLANK.match(text, fence.end()):
            return fence.start(), fence.end(), True
    return None


def _at_line_start(text: str, line: int, end: int) -> _Found:
    """Return the end at a fence that begins a line; another block may begin there too."""
    newline = text.find("\n", end)
    rest = text[end : len(text) if newline < 0 else newline]
    _, code = _opened(rest)
    opens = bool(rest.strip()) and (code is not None or len(rest.split()) == 1)
    return line, line if opens else end, True


def _outside_end(text: str, start: int, last: int, mark: str) -> _Found | None:
    """Return the end at the first fence outside of Python's strings and comments."""
    for token in _LONG.finditer(text, start, last):
        fence = token["mark"]
        if fence is None:
            comment = token[0].rstrip()
            words = comment.rstrip("`")
            glued = comment[0] == "#" and comment.endswith(mark) and words[-1] not in "# \t"
            if not glued:
                continue
            return token.start() + len(words), token.end(), True
        if not fence.lstrip(" \t>").startswith(mark):
            continue
        line = text.rfind("\n", 0, token.start()) + 1
        if line >= start and _ONLY_INDENT.fullmatch(text, line, token.start()):
            return _at_line_start(text, line, token.end())
        return token.start(), token.end(), True
    return None


# Tags ---------------------------------------------------------------------------------------------

_TAG = re.compile(
    r"<(?P<html>pre|code|python)\b[^<>\n]*>(?:\s*<code\b[^<>\n]*>)?|\[(?P<square>PYTHON)\]"
    r"|\\begin\{(?P<tex>lstlisting|verbatim|minted|python|code)\}(?:\[[^\]\n]*\]|\{[^}\n]*\})*",
)


def tagged(text: str) -> Iterator[Block]:
    """Yield the blocks between tags such as ``<code>`` and ``</code>``."""
    at, unclosed = 0, set[str]()
    while tag := _TAG.search(text, at):
        if tag["html"]:
            ending = f"</{tag['html']}>"
        else:
            ending = "[/PYTHON]" if tag["square"] else rf"\end{{{tag['tex']}}}"
        end = -1 if ending in unclosed else text.find(ending, tag.end())
        at = tag.end()
        if end < 0:
            unclosed.add(ending)
            continue
        content = text[tag.end() : end].removesuffix("</code>").replace("\r\n", "\n").rstrip()
        at = end + len(ending)
        if tag["html"] and parse_python(straight(content)) is None:
            content = html.unescape(content)
        yield Block("", content, tag.start(), at)


# Content ------------------------------------------------------------------------------------------


_FIRST_LINES = re.compile(r"\A(?:[ \t\r]*\n)+")


def straight(content: str) -> str:
    """Return code without the indentation that all its lines share.

    The first line may have lost its own, as where a reply begins within a function. Code that is
    Python as it stands is not touched.
    """
    content = _FIRST_LINES.sub("", content.lstrip("\ufeff")).rstrip()
    first, *others = content.split("\n")
    margins = [_margin(line) for line in others if line.strip()]
    if not any((_margin(first), *margins)) or parse_python(content) is not None:
        return content
    if own := _margin(first):
        least = min((own, *margins))
        return "\n".join(line[least:] for line in (first, *others))
    within = "\n".join((first, *(line[min(margins) :] for line in others)))
    return content if parse_python(within) is None else within


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))

r"""Extracts the answer from a model's reply.

``extract`` returns the answer as the model wrote it, or ``None``: a sample without an answer never
wins a vote. Only what follows the thinking counts (``core.marks``). Per answer type, the first that
is present:

- number, math: the last ``\boxed{...}``; the last 'answer is X', 'Answer: X' or '#### X'; else
  (complete replies only) the last number for ``number``, a reply that is only a formula for
  ``math``.
- choice: the label that is stated, if it is one (``choices``).
- text: the last ``\boxed{...}``; the last 'Answer:' line; else (complete replies only) all of it.
- json: the last fenced block, the whole reply or the last balanced ``{...}`` or ``[...]``,
  whichever parses (``reading`` asks which of them satisfies the problem's schema).
- code: the block or blocks that define what the tests call (``programs``).

A truncated reply (``truncated``, or one that thinks again) has no conclusion: a number in the
middle of it is not an answer, so only marked answers count there.

Replies are hostile input. Every step takes time linear in the reply, and none raises on any text.
Mathematics and JSON Schema, which cannot be linear, are left to a worker process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from ponder.answers.blocks import fenced
from ponder.answers.choices import choice
from ponder.answers.notation import EMPHASIS
from ponder.answers.numerals import NUMBER, plain_number
from ponder.answers.programs import blocks, has_program, program
from ponder.core.problem import Problem
from ponder.core.text.marks import stretches

_JSON_ATTEMPTS = 32
_LONGEST_JSON = 4_000_000
_LONGEST_BARE = 200


def instruction(problem: Problem) -> str:
    """Return the last sentence of the prompt: how to mark the final answer."""
    match problem.answer_type:
        case "number":
            return r"Think step by step, and put the final number in \boxed{}."
        case "math":
            return r"Think step by step, and put the final answer in \boxed{}."
        case "choice":
            labels = f", one of {', '.join(problem.choices)}," if problem.choices else ""
            return rf"Think step by step, and put the label of your choice{labels} in \boxed{{}}."
        case "text":
            return "Think step by step, and end with one line: 'Answer: ' and the final answer."
        case "json":
            schema = f" that satisfies this schema: {problem.schema}" if problem.schema else ""
            return f"End with the final answer in one ```json block{schema or '.'}"
        case "code":
            return "End with the complete program in one ```python block."


def extract(text: str, problem: Problem, *, truncated: bool = False) -> str | None:
    """Return the answer within a reply; ``truncated`` if the reply reached its length limit.

    JSON Schemas are not checked here.
    """
    parts = list(_stretches(text, truncated))
    if problem.answer_type != "code":
        parts = [piece for part in parts for piece in (*_element(*part), part)]
    for part, unfinished in parts:
        found = _EXTRACTORS[problem.answer_type](part, problem, unfinished)
        if found and found.strip():
            return found.strip()
    return None


def json_candidates(text: str, *, truncated: bool = False) -> list[str]:
    """Return all JSON within a reply that may be its answer, the likeliest first; each once."""
    found = (json for part in _stretches(text, truncated) for json in _all_json(*part))
    return list(dict.fromkeys(json.strip() for json in found))


def code_blocks(text: str) -> list[str]:
    """Return the Python in a reply, each block of it by itself."""
    return blocks(stretches(text)[0][-1])


def _stretches(text: str, truncated: bool) -> Iterator[tuple[str, bool]]:
    """Yield the stretches outside of the thinking, the last first, with True if unfinished.

    One that is followed by more thinking has no conclusion either.
    """
    parts, closed = stretches(text)
    for i, part in enumerate(reversed(parts)):
        if part:
            yield part, truncated or not closed or i > 0


def _element(text: str, unfinished: bool) -> list[tuple[str, bool]]:
    """Return the content of the last ``<answer>...</answer>``, which is finished."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end) if end >= 0 else -1
    return [(text[start + len("<answer>") : end].strip(), False)] if start >= 0 else []


def closed(text: str, problem: Problem) -> bool:
    r"""Return True if an unfinished trace already holds its answer.

    That is an answer in a closed ``\boxed{...}``, for ``json`` in a closed block, and for ``code``
    the program in closed blocks.
    'The answer is' may be followed by anything.
    """
    *_, after = stretches(text)[0]
    if problem.answer_type == "code":
        return has_program(after, problem)
    if problem.answer_type == "json":
        return any(block.closed for block in fenced(after))
    return _boxed(after, bare=False) is not None  # more digits may follow


# Boxes and phrases --------------------------------------------------------------------------------

_BRACE = re.compile(
    r"(?:\\(?:f|frame)?box(?:ed)?|\\?\x08oxed|(?<![A-Za-z\\])boxed(?=\{))"  # '\b' is a backspace
    r"\s*(?:\{|(?P<bare>"
    r"[-+]?\\?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?|\([^(){}\n]{1,100}\)|[A-Za-z](?![A-Za-z])"
    r"|\\[A-Za-z]{1,20}(?:\s?\d{1,9}|\{[^{}\n]{0,100}\}){0,2}(?!\s*[{\d])))|\\[{}]|[{}]"
)
_MARK = re.compile(
    r"\banswer(?:\*\*)?\s*(?P<how>is\b\s*:?|:|=)(?:\s|\*\*)*|^[ \t]*####[ \t]*", re.I | re.M
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_PLAIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")


def _boxed(text: str, *, bare: bool = True) -> str | None:
    r"""Return the content of the last closed ``\boxed`` or ``\fbox`` (the innermost).

    ``bare`` also takes ``\boxed 5``, which has no braces.
    """
    open_braces: list[int] = []  # where a box's content starts; -1 for any other brace
    best, content = -1, None
    for brace in _BRACE.finditer(text):
        token = brace[0]
        if brace["bare"]:
            best, content = (brace.start(), brace["bare"]) if bare else (best, content)
            continue
        if token in (r"\{", r"\}"):
            continue
        if token != "}":
            open_braces.append(-1 if token == "{" else brace.end())
        elif open_braces:
            start = open_braces.pop()
            if start > best and (inner := text[start : brace.start()].strip()):
                best, content = start, inner
    return content


def _marked(text: str, *, only_colon: bool = False) -> Iterator[str]:
    """Yield the text from each mark to the next one, last mark first."""
    marks = list(_MARK.finditer(text))
    end = len(text)
    for mark in reversed(marks):
        span = text[mark.end() : end]
        end = mark.start()
        how = mark["how"]
        if how is None:
            # '#### Step 2: add' is a heading, not GSM8K's mark.
            line = _first_line(span)
            if not only_colon and line and not _PLAIN_WORD.search(line):
                yield line
        elif how in (":", "=") or not only_colon:
            yield span


def _first_line(span: str) -> str:
    return _undecorated(span.lstrip().split("\n", 1)[0])


def _undecorated(text: str) -> str:
    """Remove Markdown's emphasis."""
    return EMPHASIS.sub("", text).strip()


def _sentence(span: str) -> str:
    line = _first_line(span)
    end = _SENTENCE_END.search(line)
    return _undecorated(line[: end.start()] if end else line)


def _formula(span: str) -> str:
    """Return the content of LaTeX delimiters if the span starts with one, else the sentence."""
    for opener, closer in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        if span.startswith(opener):
            inner, closed, _ = span[len(opener) :].partition(closer)
            if closed and inner.strip():
                return inner
    return _sentence(span)


# The answer types ---------------------------------------------------------------------------------


def _number(text: str, problem: Problem, truncated: bool) -> str | None:
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    for span in _marked(text):
        sentence = _sentence(span)
        total = sentence.rpartition("=")[2].strip()
        if plain_number(total, units=True) is not None:
            return total
        first = NUMBER.search(sentence)
        if first is not None:
            return f"{first[0]}!" if sentence[first.end() :] == "!" else first[0]
    return None if truncated else _last(NUMBER, text)


def _math(text: str, problem: Problem, truncated: bool) -> str | None:
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    for span in _marked(text):
        formula = _formula(span)
        if formula:
            return formula
    bare = _undecorated(text)
    whole = not truncated and len(bare) <= _LONGEST_BARE and "\n" not in bare
    return bare if whole and not _PLAIN_WORD.search(bare) else None


def _choice(text: str, problem: Problem, truncated: bool) -> str | None:
    return choice(text, problem.choices, _boxed(text), truncated)


def _text(text: str, problem: Problem, truncated: bool) -> str | None:
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    for span in _marked(text, only_colon=True):
        line = _first_line(span)
        if line:
            return line
    return None if truncated else text


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    last = None
    for match in pattern.finditer(text):
        last = match[0]
    return last


# Code and JSON ------------------------------------------------------------------------------------


def _code(text: str, problem: Problem, truncated: bool) -> str | None:
    return program(text, problem, truncated=truncated)


def _json(text: str, problem: Problem, truncated: bool) -> str | None:
    return next(_all_json(text, truncated), None)


def _all_json(text: str, truncated: bool) -> Iterator[str]:
    """Yield each text that parses as JSON: blocks, all of it, balanced brackets, each last first.

    At most ``_LONGEST_JSON`` characters of them in all, so that the time stays linear.
    """
    blocks = [
        block.content
        for block in reversed(fenced(text))
        if not block.inline and (block.closed or not truncated)
    ]
    spans = [text[start:end] for start, end in reversed(_balanced(text)[-_JSON_ATTEMPTS:])]
    left = _LONGEST_JSON
    for candidate in [*blocks[:_JSON_ATTEMPTS], text, *spans]:
        left -= len(candidate)
        if left < 0:
            return
        try:
            json.loads(candidate, parse_constant=_not_json)
        except (ValueError, RecursionError):
            continue
        yield candidate


def _not_json(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _balanced(text: str) -> list[tuple[int, int]]:
    """Return every balanced bracket pair (start, end), in the order of their ends. One pass."""
    spans: list[tuple[int, int]] = []
    stack: list[int] = []
    quoted = False
    for token in re.finditer(r'\\.|["{}\[\]\n]', text):
        char = token[0]
        if char == "\n":
            quoted = False  # JSON's strings hold no raw line break: that quote was prose
        elif char == '"':
            quoted = bool(stack) and not quoted
        elif quoted:
            continue
        elif char in "{[":
            stack.append(token.start())
        elif stack and char in "}]":
            start = stack.pop()
            if text[start] + char in ("{}", "[]"):
                spans.append((start, token.end()))
            else:
                stack.clear()
    return spans


_EXTRACTORS: dict[str, Callable[[str, Problem, bool], str | None]] = {
    "number": _number,
    "math": _math,
    "choice": _choice,
    "text": _text,
    "json": _json,
    "code": _code,
}

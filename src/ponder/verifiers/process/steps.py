"""Splits a chain of reasoning into steps, and combines their scores. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def steps(text: str) -> list[str]:
    """Return the steps of a text, separated by blank lines; without any, its lines.

    None is empty.
    """
    return [text[start:end] for start, end in _spans(text)]


def prefixes(text: str) -> list[str]:
    """Return the text up to each further step, and the whole text: one prefix per step.

    A model is asked to continue the text from the end of each.
    """
    spans = _spans(text)
    return [text[:start] for start, _ in spans[1:]] + [text] if spans else []


def _spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each step, without surrounding blanks."""
    body = text.strip()
    blank = _BLANK.search(body)
    ends = [m.span() for m in (_BLANK if blank else re.compile(r"\n")).finditer(text)]
    edges = [0, *(edge for span in ends for edge in span), len(text)]
    spans = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        piece = text[start:end]
        if inner := piece.strip():
            offset = start + len(piece) - len(piece.lstrip())
            spans.append((offset, offset + len(inner)))
    return spans


def _last(values: Sequence[float]) -> float:
    return values[-1]


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "last": _last,
    "product": math.prod,
}
"""Combines the scores of steps into one. ``min``, the default: a chain is as good as its worst
step (Wang 2023, Math-Shepherd, section 3.4; Lightman 2023, appendix F, finds it close to the
product). ``product``: the probability that all steps are right, if they were independent; it falls
with the length of the chain (Lightman 2023, section 2.6). ``last``: the score of the whole chain,
judged at its end; for models trained on the value of a prefix (Snell 2024, section 5.1).
"""

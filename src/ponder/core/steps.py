"""Steps of reasoning: the text up to the next separator, or up to a number of tokens.

A trace grows step by step: the model continues it, and stops at the first separator. The right
separator depends on how the model writes.

==============  ====================================================================================
``paragraph``   a blank line
``line``        a line's end
``sentence``    a full stop, question or exclamation mark with space behind it, or a line's end
``numbered``    the start of the next numbered step: a new line with 'Step', '**Step' or '#'
``tokens``      nothing but the number of tokens
``at(MARK)``    that text: a mark of the model's own, such as ``at(</step>)``; several as in
                ``at(Wait, "\\n- ")``, with ``\\n`` for a line's end
==============  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import parse

BETWEEN = "\n\n"
"""Default separator of two steps, also in a request to a process reward model."""
SEPARATORS: dict[str, tuple[str, ...]] = {
    "paragraph": (BETWEEN,),
    "line": ("\n",),
    "sentence": (". ", "? ", "! ", "\n"),
    "numbered": ("\nStep ", "\n**Step ", "\n#"),
    "tokens": (),
}
MARKS = "at"
"""Kind of step whose arguments are the model's own marks."""


def check_stops(stops: Iterable[str]) -> None:
    """Refuse an empty stop string, which would end every reply before its first token.

    Raises:
        UsageError: one of them is empty.
    """
    if not all(stops):
        raise UsageError("a step or reply cannot end at an empty text: leave that stop string out.")


@dataclass(frozen=True, slots=True)
class Step:
    """The end of a step: before any of ``stops``, or after ``tokens`` tokens.

    Raises:
        UsageError: a stop is empty, or ``tokens`` is below 1.
    """

    stops: tuple[str, ...] = SEPARATORS["paragraph"]
    """Separators. The one that ended the step becomes part of the trace."""
    tokens: int = 256
    """Most tokens of a step."""

    def __post_init__(self) -> None:
        check_stops(self.stops)
        if self.tokens < 1:
            raise UsageError(f"a step has at least one token, not {self.tokens}.")


def step(kind: str = "paragraph", tokens: int = 256) -> Step:
    """Return the step of that name, or one that ends at the model's own marks.

    Raises:
        UnknownName: there is no step of that name.
        UsageError: the name is malformed, or a mark is empty.
    """
    if kind in SEPARATORS:
        return Step(SEPARATORS[kind], tokens)
    ref = parse(kind)
    if ref.name != MARKS:
        raise UnknownName("kind of step", kind, (*SEPARATORS, f"{MARKS}(MARK)"))
    if not ref.args or ref.options or ref.model:
        raise UsageError(f"{kind!r}: expected the marks alone, {MARKS}(MARK, ...).")
    return Step(tuple(arg.text.replace("\\n", "\n") for arg in ref.args), tokens)

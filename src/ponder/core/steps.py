"""What a step of reasoning is: the text up to the next separator, or so many tokens of it.

A chain grows step by step: the model is asked to continue it, and stops at the first separator.
That is the whole idea; what separates is a matter of how the model writes.

==============  ====================================================================================
``paragraph``   a blank line
``line``        a line's end
``sentence``    a full stop, question or exclamation mark with space behind it, or a line's end
``numbered``    the beginning of the next numbered step: a new line with 'Step', '**Step' or '#'
``tokens``      nothing but the number of tokens
``at:TEXT``     that text: a mark of the model's own, such as ``at:</step>``; several with ``|``,
                and ``\\n`` for a line's end
==============  ====================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from ponder.core.errors import UnknownName, UsageError

BETWEEN = "\n\n"
"""Stands between two steps unless told otherwise, and in a request to a process reward model."""
SEPARATORS: dict[str, tuple[str, ...]] = {
    "paragraph": (BETWEEN,),
    "line": ("\n",),
    "sentence": (". ", "? ", "! ", "\n"),
    "numbered": ("\nStep ", "\n**Step ", "\n#"),
    "tokens": (),
}
MARKS = "at:"
"""Before the marks that a model makes itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step ends before any string of ``stops``, which then belongs to the chain, or after
    ``tokens`` tokens.

    Raises:
        UsageError: a stop is empty, or there is room for no token.
    """

    stops: tuple[str, ...] = SEPARATORS["paragraph"]
    tokens: int = 256

    def __post_init__(self) -> None:
        if not all(self.stops):
            raise UsageError("a step cannot end at an empty text: leave it out.")
        if self.tokens < 1:
            raise UsageError(f"a step has at least one token, not {self.tokens}.")


def step(kind: str = "paragraph", tokens: int = 256) -> Step:
    """A step by its name, or by the model's own marks.

    Raises:
        UnknownName: there is none of that name.
        UsageError: a mark is empty.
    """
    if kind.startswith(MARKS):
        marks = kind.removeprefix(MARKS).replace("\\n", "\n")
        return Step(tuple(marks.split("|")), tokens)
    if kind not in SEPARATORS:
        raise UnknownName("kind of step", kind, SEPARATORS)
    return Step(SEPARATORS[kind], tokens)

"""Every verifier, by name. A new one is a file of its own and one line here.

==========================  ========================================================================
``mean_logprob``            a verifier
``judge:MODEL``             one that takes an argument
``first(A, B, ...)``        the first that does not abstain (``combined``)
``product(A, B, ...)``      the product of those that do not abstain
==========================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ponder.core.errors import UnknownName, UsageError
from ponder.verifiers.base import Verifier
from ponder.verifiers.combined import COMBINATIONS, combine
from ponder.verifiers.confidence import Confidence, lowest_group, mean_logprob


@dataclass(frozen=True, slots=True)
class Kind:
    """How a verifier is made of what follows the colon in its name, one line on it, its paper.

    ``argument`` names what follows the colon (empty: nothing may); in brackets it may be left out.
    """

    make: Callable[[str], Verifier]
    summary: str
    paper: str = ""
    argument: str = ""

    def read(self, name: str, argument: str) -> Verifier:
        """The verifier.

        Raises:
            UsageError: the argument is missing, not wanted, or not as it must be.
        """
        if argument and not self.argument:
            raise UsageError(f"verifier {name!r} takes nothing behind a colon: leave it out.")
        if not argument and self.argument and not self.argument.startswith("["):
            raise UsageError(f"verifier {name!r} needs an argument: write {name}:{self.argument}.")
        return self.make(argument)


KINDS: dict[str, Kind] = {
    "mean_logprob": Kind(
        lambda _: Confidence("mean_logprob", mean_logprob), "mean token probability"
    ),
    "lowest_group": Kind(
        lambda _: Confidence("lowest_group", lowest_group),
        "mean token probability of the least confident passage",
        "Fu 2025",
    ),
}


def known(*names: str) -> dict[str, Verifier]:
    """The verifiers that a run can ask: those named, and those that strategies ask by themselves.

    Raises:
        UnknownName, UsageError: as ``find``.
    """
    return {name: find(name) for name in ("mean_logprob", *names) if name}


def find(name: str) -> Verifier:
    """The verifier of that name.

    Raises:
        UnknownName: there is none; names the nearest.
        UsageError: its argument is not as it must be.
    """
    text = name.strip()
    head, bracket, rest = text.partition("(")
    if bracket and head in COMBINATIONS:
        if not rest.endswith(")"):
            raise UsageError(f"verifier {text!r}: expected ')' at its end.")
        return combine(head, [find(part) for part in _parts(rest[:-1])])
    kind, _, argument = text.partition(":")
    if kind not in KINDS:
        raise UnknownName("verifier", kind, (*KINDS, *(f"{c}(...)" for c in COMBINATIONS)))
    return KINDS[kind].read(kind, argument)


def _parts(text: str) -> list[str]:
    """What stands between the commas that are in no brackets."""
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]

"""The answer that a trace gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the key under which it is counted.

    The key depends on the text and the answer type alone, never on the other answers, so a vote
    does not depend on the order in which samples arrive.
    """

    text: str
    """The answer as the model wrote it; this is what is displayed."""
    key: str
    """Canonical form: answers with the same key count as the same vote."""

"""What a trace concludes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """``text`` is what the model wrote and we show; answers with the same ``key`` are one vote.

    The key depends on the text and the answer type alone, never on the other answers, so a vote
    does not depend on the order in which samples arrive.
    """

    text: str
    key: str

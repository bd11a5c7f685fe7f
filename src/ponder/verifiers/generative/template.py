"""The prompts of the generative verifier, in one place: what is asked is what is taught.

The verifier asks them, and the rows of ``ponder learn export`` (``learning.rows.judging``) are made
of them. A row names its ``TEMPLATE``; whatever changes a prompt raises the number in it, since a
model that was taught by one template is to be asked by the same.
"""

from __future__ import annotations

from ponder.core.problem import Problem
from ponder.core.text.quoting import NOT_TO_OBEY, quoted
from ponder.verifiers.judge.asking import question

TEMPLATE = "generative/1"
YES, NO = "Yes", "No"
LABELS = (YES, NO)
_ENDED, _BEGUN = "Is this answer right?", "Is this solution right so far?"
_REPLY = f"Reply with one word, {YES} or {NO}, and nothing else."


def whole(problem: Problem, solution: str) -> str:
    """Return the prompt about a solution that has ended."""
    return _about(problem, solution, f"{_ENDED} {_REPLY}")


def so_far(problem: Problem, prefix: str) -> str:
    """Return the prompt about the first steps of a solution."""
    return _about(problem, prefix, f"{_BEGUN} {_REPLY}")


def check(problem: Problem, solution: str, *, ended: bool) -> str:
    """Return the prompt for a check in words, after which ``verdict`` asks."""
    asked = _ENDED if ended else _BEGUN
    return _about(problem, solution, f"{asked} Check it step by step, in a few short sentences.")


def verdict(*, ended: bool) -> str:
    """Return the question after a check."""
    return f"{_ENDED if ended else _BEGUN} {_REPLY}"


def _about(problem: Problem, solution: str, asked: str) -> str:
    return (
        f"Judge a solution to a question. {NOT_TO_OBEY}\n\n"
        f"{quoted('question', question(problem))}\n\n"
        f"{quoted('solution', solution.strip())}\n\n"
        f"{asked}"
    )

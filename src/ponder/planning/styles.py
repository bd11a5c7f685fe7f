"""Styles: the same question, asked in other words or after worked examples.

``plain`` asks as Ponder always did. ``brief`` asks for a short solution. ``worked`` shows two
solved questions first, of Ponder's own writing and of no benchmark (few-shot prompting: Brown 2020;
with solutions: Wei 2022), before those that a suite shows. ``zero_shot`` shows no solved question,
not a suite's either. A strategy with a prompt of its own, such as ``program``, uses none of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ponder.core.problem import AnswerType, Message, Problem

Style = Literal["plain", "brief", "worked", "zero_shot"]
BRIEF = "Be brief: write only the few short steps that are needed."

_WORKED: dict[AnswerType, tuple[tuple[str, str], ...]] = {
    "number": (
        (
            "A baker fills 4 trays with 12 rolls each and sells 30 rolls. How many are left?",
            "There are 4 * 12 = 48 rolls. Then 48 - 30 = 18 are left. \\boxed{18}",
        ),
        (
            "A coat costs $80 and is sold at a discount of 15%. What do 3 such coats cost?",
            "One coat costs 80 * 0.85 = 68 dollars. Three cost 3 * 68 = 204. \\boxed{204}",
        ),
    ),
    "math": (
        (
            "Solve $3x - 7 = 11$ for $x$.",
            "Adding 7 gives $3x = 18$, so $x = 6$. \\boxed{6}",
        ),
        (
            "A circle has a diameter of $10$. What is its area?",
            "The radius is $5$, so the area is $\\pi \\cdot 5^2 = 25\\pi$. \\boxed{25\\pi}",
        ),
    ),
    "choice": (
        (
            "Which of these animals is a mammal?\nA) trout\nB) whale\nC) sparrow\nD) frog",
            "Trout are fish, sparrows birds, frogs amphibians; whales nurse. \\boxed{B}",
        ),
        (
            "Which of these numbers is prime?\nA) 21\nB) 27\nC) 29\nD) 33",
            "21, 27 and 33 can be divided by 3, and 29 by nothing but 1 and itself. \\boxed{C}",
        ),
    ),
    "text": (
        (
            "Which planet of the solar system is the largest?",
            "Jupiter has more mass than all the others together.\nAnswer: Jupiter",
        ),
        (
            "Sort these words by the alphabet: pear, apple, fig.",
            "apple begins with a, fig with f, pear with p.\nAnswer: apple fig pear",
        ),
    ),
    "json": (
        (
            "Give the name and the age of the person as JSON: 'Ann turned 41 last week.'",
            '```json\n{"name": "Ann", "age": 41}\n```',
        ),
        (
            "List the even numbers from 1 to 6 as JSON.",
            "```json\n[2, 4, 6]\n```",
        ),
    ),
    "code": (
        (
            "Write a function `double(n)` that returns twice its argument.",
            "```python\ndef double(n):\n    return 2 * n\n```",
        ),
        (
            "Write a function `longest(words)` that returns the longest of some words.",
            "```python\ndef longest(words):\n    return max(words, key=len)\n```",
        ),
    ),
}


def styled(problem: Problem, style: Style) -> Problem:
    """Return the problem as it is asked in a style."""
    match style:
        case "plain":
            return problem
        case "brief":
            return replace(problem, instruction=f"{problem.instruction} {BRIEF}".lstrip())
        case "worked":
            turns = [
                turn
                for question, solution in _WORKED[problem.answer_type]
                for turn in (Message("user", question), Message("assistant", solution))
            ]
            return replace(problem, examples=(*turns, *problem.examples))
        case "zero_shot":
            return replace(problem, examples=())

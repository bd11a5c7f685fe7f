"""What a program printed, as a reply that an answer is read from."""

from __future__ import annotations

import pytest

from ponder.answers.printed import reply
from ponder.answers.reading import Reader
from ponder.core.problem import Message, Problem


def asked(kind: str) -> Problem:
    return Problem((Message("user", "?"),), kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "output", "expected"),
    [
        ("number", "72\n", r"\boxed{72}"),
        ("number", "step 1: 30\nTotal: 72.50 dollars\n\n", r"\boxed{72.50}"),
        ("number", "18.000000000000004\n", r"\boxed{18}"),
        ("number", "-0.30000000000000004", r"\boxed{-0.3}"),
        ("number", "0.3333333333333333", r"\boxed{0.333333333333}"),
        ("number", "123456789012345.678901234", r"\boxed{123456789012345.678901234}"),
        ("number", "3/4", r"\boxed{3/4}"),
        ("number", r"\boxed{5}", r"\boxed{5}"),
        ("number", "many", "many"),
        ("number", "None", ""),
        ("number", "", ""),
        ("math", "sqrt(2)/2", r"\boxed{\sqrt{2}/2}"),
        ("math", "x**2 + 2*pi", r"\boxed{x^2 + 2*\pi}"),
        ("math", "[3]", r"\boxed{3}"),
        ("math", "[-1, 2]", r"\boxed{-1, 2}"),
        ("math", "(3, 4)", r"\boxed{(3, 4)}"),
        ("math", "The answer is 5", r"\boxed{5}"),
        ("math", "Evelyn", r"\boxed{Evelyn}"),
        ("math", "[]", ""),
        ("math", "<generator object f at 0x7f>", ""),
        ("choice", "B\n", "B\n"),
        ("text", "a b\nc", "a b\nc"),
        ("json", "[]", "[]"),
    ],
)
def test_the_reply(kind: str, output: str, expected: str) -> None:
    assert reply(output, asked(kind)) == expected


@pytest.mark.parametrize(
    ("printed", "latex"),
    [
        ("sqrt(2)/2", r"\frac{\sqrt{2}}{2}"),
        ("2*x + 1", "2x+1"),
        ("x**2 - 3*x", "x^2-3x"),
        ("[-1, 2]", "-1,2"),
        ("pi/4", r"\frac{\pi}{4}"),
        ("3/4", r"\frac34"),
        ("0.30000000000000004", "0.3"),
    ],
)
async def test_it_means_what_a_text_would_say(printed: str, latex: str) -> None:
    reader, problem = Reader(), asked("math")
    answer = await reader.read(reply(printed, problem), problem, False)
    expected = await reader.read(rf"\boxed{{{latex}}}", problem, False)
    reader.close()
    assert answer is not None
    assert expected is not None
    assert answer.key == expected.key

"""Reads hostile text as a run would: what a fuzz calls, and what it calls it with."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from ponder.answers.arithmetic import solves, steps
from ponder.answers.equivalence import latex_key, quick_key
from ponder.answers.extract import closed, extract, json_candidates
from ponder.answers.notation import clean_latex
from ponder.answers.numerals import plain_number
from ponder.core.answer import Answer
from ponder.core.problem import ANSWER_TYPES, AnswerType, Message, Problem
from ponder.core.steps import SEPARATORS
from ponder.verifiers.execution.codet import functions, written
from ponder.verifiers.execution.examples import examples
from ponder.verifiers.execution.program import defines, program

REPLIES = (
    "Let me think. 48 + 24 = 72.\n\nSo the answer is \\\\boxed{72}.",
    "<think>2 1/2 is 5/2</think>The answer is **$\\\\frac{5}{2}$**.\n#### 2.5",
    "```python\ndef f(n):\n    '''\n    >>> f(1)\n    2\n    '''\n    return n + 1\n```",
    'Here it is:\n```json\n{"a": [1, 2.5e3, null], "b": {"c": "}"}}\n```',
    "1. 9 - 4 = 5 (left: 3, 5)\n2. 5 * 3 = 15 (left: 15)\nAnswer: (9 - 4) * 3",
    "(B) is right, since 50% of 1,234.50 is 617.25.\n\nFinal answer: (B)",
    "assert f(1) == 2\nassert f([1, 2]) == {'a': 3}\nclass T:\n    def test_a(self):\n"
    "        self.assertEqual(f(1), 2)",
)
FRAGMENTS = (
    r"\boxed{", r"\fbox{", "}", "{", "[", "]", '"', "\\", "$", "**", "```", "```python\n", "\n",
    " ", "=", "answer is ", "Answer: ", "#### ", "<think>", "</think>", "1,234", ".5", "-", "/",
    r"\frac", r"\frac{1}{", "A", "(B)", "x", "%", "e9", "é", "\ud800", "\x00", "٣", "½", "²",
    "1e400", "-1e999999999", "1e-400", "NaN", "-Infinity", "10^{10^9}", "9" * 5_000,
    "0x" + "f" * 5_000, "assert ", "f(", ")", "def f(n): ", "left: ", "lambda: ", "{1:", "not ",
    "\u202e", "\u0345", "ﷺ", "\r", "\u2028", "−", ",", "'", '"""', "#", "if ", "==", "~", "\t",
)  # fmt: skip


def _repeated(piece: str, times: int) -> str:
    return piece * min(times, 200_000 // max(len(piece), 1))


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    """A real reply with pieces put in, taken out, and said many times."""
    text = draw(st.sampled_from(REPLIES))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        piece = draw(st.sampled_from((*FRAGMENTS, text[start:end])))
        text = text[:start] + _repeated(piece, draw(st.sampled_from((0, 1, 2, 40)))) + text[end:]
    return text


HOSTILE = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.builds(
        lambda a, piece, times, b: a + _repeated(piece, times) + b,
        st.sampled_from(REPLIES),
        st.sampled_from(FRAGMENTS),
        st.sampled_from((3, 300, 3_000)),
        st.sampled_from(FRAGMENTS),
    ),
    _mutated(),
)
"""Text that a model might be made to write."""
KINDS = st.sampled_from(ANSWER_TYPES)


def read_reply(text: str, answer_type: AnswerType) -> str | None:
    """The answer within a reply, after all that reads a reply in this process has read it."""
    problem = Problem((Message("user", "f?"),), answer_type)
    for truncated in (False, True):
        found = extract(text, problem, truncated=truncated)
    closed(text, problem)
    json_candidates(text)
    for part in (text, found or ""):
        for kind in ANSWER_TYPES:
            key = quick_key(part, kind)
            assert key is None or Answer(part, key).key == key
        latex_key(part)
        clean_latex(part)
        plain_number(part, units=True)
        solves(part, (9, 4, 3), Fraction(15))
        steps(part, (9, 4, 3), Fraction(15))
        examples(part, "f")
        defines(part, "f")
        program(part)
    written([text], functions([text]) | {"f"})
    assert all(text.split(stop) for stops in SEPARATORS.values() for stop in stops)
    return found

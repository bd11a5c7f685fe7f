from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ponder.answers.equivalence import (
    canonical,
    equivalent,
    latex_key,
    quick_key,
    text_key,
)
from ponder.answers.mathworker import MathWorker
from ponder.answers.notation import clean_latex
from ponder.core.problem import ANSWER_TYPES, AnswerType

DATA = Path(os.environ.get("PONDER_DATA", Path(__file__).parents[3] / "shared" / "data"))
MATH500 = DATA / "math500" / "test.jsonl"


@pytest.fixture(scope="module")
def worker() -> Iterator[MathWorker]:
    worker = MathWorker()
    yield worker
    worker.close()


# Without sympy


@pytest.mark.parametrize("kind", ["number", "math"])
@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("q:1/2", ["1/2", "0.5", r"\frac{1}{2}", r"\frac12", r"\dfrac 1 2", ".5", "0.50", "$.5$",
                   "5e-1", r"5 \times 10^{-1}", r"\(\tfrac{1}{2}\)", "+ 1/2", "**0.5**"]),
        ("q:72", ["72", "72.", "$72", r"\$72.00", "72%", r"72\%", "72 clips", "72 percent",
                  r"72 \text{ clips}", r"72\mbox{ cm}^2", r"72^\circ", "72°", r"72^{\circ}",
                  "€72", "0072"]),
        ("q:1234567", ["1,234,567", "1 234 567", r"1{,}234{,}567", r"1\,234\,567",
                       r"1,\!234,\! 567", "1\u202f234\u202f567", "1.234567e6"]),
        ("q:-7/2", ["-3.5", "−3.5", r"-\frac{7}{2}", r"\frac{-7}{2}", r"-3\frac{1}{2}", "-3 1/2",
                    "-7/2"]),
        ("t:evelyn", ["Evelyn", r"\text{Evelyn}", r"$\text{ evelyn }$"]),
        ("t:c", ["C", "(C)", r"\text{(C)}", "c"]),
    ],
)  # fmt: skip
def test_plain_answers(kind: AnswerType, key: str, texts: list[str]) -> None:
    assert {text: quick_key(text, kind) for text in texts} == dict.fromkeys(texts, key)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("5 cm", "q:5"), ("72 km/h", "q:72"), ("2x", "q:2"), ("x = 5", "q:5"),
        ("48 + 24 = 72 clips", "q:72"), ("about 72 (clips)", "q:72"), ("USD 72", "q:72"),
        (r"2\pi", None), ("x^2", None), ("5 and 6", None), ("1/0", None), ("9" * 2_000, None),
        ("1e9999", None),
    ],
)  # fmt: skip
def test_numbers_among_words(text: str, key: str | None) -> None:
    assert quick_key(text, "number") == key


@pytest.mark.parametrize("text", ["2x", "x = 5", "5 cm", r"\sqrt{2}", "1,2", "(1,2)", "ab", "i"])
def test_what_may_be_a_formula_is_left_to_sympy(text: str) -> None:
    assert quick_key(text, "math") is None


@given(
    st.fractions(), st.sampled_from(["{n}/{d}", r"\frac{{{n}}}{{{d}}}", r"$\dfrac{{{n}}}{{{d}}}$"])
)
def test_fractions_have_exact_keys(value: Fraction, form: str) -> None:
    text = form.format(n=value.numerator, d=value.denominator)
    assert quick_key(text, "number") == quick_key(text, "math") == f"q:{value}"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.sampled_from(["", ","]))
def test_decimals_have_exact_keys(value: object, separator: str) -> None:
    text = f"{value:{separator}}"
    assert quick_key(text, "number") == f"q:{Fraction(str(value))}"


@pytest.mark.parametrize(
    ("kind", "same", "other"),
    [
        ("choice", ["B", "(b)", "**B**", "B.", r"\text{(B)}"], "C"),
        ("choice", ["not valid", "NOT VALID."], "valid"),
        ("text", ["The Eiffel Tower.", "eiffel  tower", "**Eiffel tower**", "Ｅiffel Tower"],
         "tower eiffel"),
        ("text", ["-3.14", "-3.14."], "3.14"),
        ("text", ["the", "The."], "a"),
        ("json", ['{"a": 1.0, "b": [2]}', '{"b":[2],"a":1}', '{"b": [2e0], "a": 1}'],
         '{"a": true, "b": [2]}'),
        ("json", ["none", "None."], "1e999"),
        ("code", ["x = 1  # one\n", "x=1", "\nx = (1)"], "x = 2"),
        ("code", ["x = = 1  \n", "x = = 1"], "x = = 2"),
    ],
)  # fmt: skip
def test_keys_of_other_types(kind: AnswerType, same: list[str], other: str) -> None:
    assert len({quick_key(text, kind) for text in same}) == 1
    assert quick_key(other, kind) != quick_key(same[0], kind)


@given(st.text(), st.sampled_from(ANSWER_TYPES))
def test_no_text_breaks_a_key(text: str, kind: AnswerType) -> None:
    assert quick_key(text, kind) == quick_key(text, kind)
    assert latex_key(text).startswith("t:")


@given(st.text())
@example("0-\r")
@example("0 = a")
@example("0-.")
def test_text_keys_are_idempotent(text: str) -> None:
    key = text_key(text)
    assert text_key(key.removeprefix("t:")) == key


def test_deep_nesting_breaks_nothing() -> None:
    for deep in ("[" * 100_000, "(" * 100_000, "-" * 100_000 + "1", "{" * 100_000):
        for kind in ANSWER_TYPES:
            quick_key(deep, kind)


# With sympy, in the real process


async def keys(worker: MathWorker, texts: list[str]) -> set[str]:
    return {(await canonical(text, "math", worker)).key for text in texts}


@pytest.mark.parametrize(
    "texts",
    [
        [r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", r"\sqrt{2}/2", "sqrt(2)/2", r"2^{-1/2}"],
        [r"\frac{\pi}{2}", r"0.5\pi", r"\pi/2", "π/2"],
        ["1", r"(\sqrt2-1)(\sqrt2+1)", r"\sin^2 x + \cos^2 x", r"-e^{i\pi}", r"\{1\}"],
        ["5", "x=5", r"x = \frac{10}{2}", "a=b=5", r"52_8 - 45_8"],
        ["(x+1)^2", "x^2+2x+1", "X^2 + 2 X + 1", "f(x) = (x+1)^2", "y = x^2 + 2x + 1"],
        ["6 - 5i", "-5i+6", "(1-5i)+5", r"\boxed{6-5i}"],
        ["1,2", "2, 1", r"\{1,2\}", r"1 \text{ and } 2", "x=1 or x=2", r"x \in \{1,2\}"],
        [r"1 \pm \sqrt{2}", r"1+\sqrt2, 1-\sqrt2"],
        ["(3,4]", r"\left(3, \frac{8}{2}\right]", "3 < x \\le 4", r"x \in (3,4]"],
        ["x < 3", "3 > x", r"(-\infty, 3)", "2x < 6"],
        [r"(-\infty,1)\cup(2,\infty)", r"x > 2 \text{ or } x<1"],
        ["5x - 7y + 4 = 0", "7y - 5x = 4", "10x - 14y = -8"],
        ["x + 2y < 3", "6 > 2x + 4y", "-x - 2y > -3"],
        [r"\begin{pmatrix} 1 \\ 1/2 \end{pmatrix}", r"\begin{bmatrix} 1 \\ 0.5 \end{bmatrix}"],
        [r"\infty", "+\\infty"],
        [r"\theta", r"\Theta"],
        ["2^{10}", "1024", "2**10", "2^10"],
        ["5!", "120", r"\binom{10}{3}"],
        ["(3, \\pi)", r"\left( 3 , \pi \right)"],
    ],
)  # fmt: skip
async def test_one_meaning_one_key(worker: MathWorker, texts: list[str]) -> None:
    assert len(await keys(worker, texts)) == 1, [
        (text, await canonical(text, "math", worker)) for text in texts
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ["|x|", "x", "-x", r"\sqrt{x}", "x^2", "y"],
        ["(1,2)", "[1,2]", "(1,2]", "1,2", "(2,1)"],
        ["x<3", r"x \le 3", "x>3", r"x \ne 3", "3"],
        ["x+y=3", "x+y<3", "x+y", r"x+y \le 3"],
        [r"\infty", r"-\infty", "i", "-i", r"\emptyset"],
        [r"\sqrt{2}", "1.41421356", r"\frac{99}{70}"],
        [r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \end{pmatrix}"],
        ["10^{5000}", "10^{5001}", "10^{-5000}"],
    ],
)
async def test_other_meaning_other_key(worker: MathWorker, texts: list[str]) -> None:
    assert len(await keys(worker, texts)) == len(texts)


async def test_what_does_not_parse_is_compared_as_notation(worker: MathWorker) -> None:
    assert await keys(worker, [r"\widehat{}{3}", r"$ \widehat{}{3} $"]) == {r"t:\widehat{}{3}"}
    assert await keys(worker, ["x" + "+1" * 2_000]) == {"t:x" + "+1" * 2_000}


async def test_a_grader_is_more_lenient_than_a_vote(worker: MathWorker) -> None:
    assert await equivalent("0.5", "1/2", "number", worker)
    assert await equivalent(r"\frac{1}{3}", "0.333333", "math", worker)
    assert not await equivalent(r"\frac{1}{3}", "0.34", "math", worker)
    assert not await equivalent("Lyon", "Paris", "text", worker)


# MATH-500


def references() -> list[str]:
    if not MATH500.exists():
        pytest.skip(f"no MATH-500 at {MATH500} (set PONDER_DATA)")
    lines = MATH500.read_text(encoding="utf-8").splitlines()
    return sorted({json.loads(line)["answer"] for line in lines})


def rewritten(text: str) -> list[str]:
    return [
        f" ${text}$ ",
        text.replace(r"\dfrac", r"\frac").replace(r"\frac", r"\dfrac"),
        text.replace(r"\dfrac", r"\frac").replace(r"\frac", r"\tfrac"),
        text.replace(r"\left", "").replace(r"\right", ""),
        rf"\[ {text} \]",
        text + ".",
    ]


async def test_rewriting_a_reference_keeps_its_key(worker: MathWorker) -> None:
    for text in references():
        assert len(await keys(worker, [text, *rewritten(text)])) == 1, text


async def test_keys_agree_with_math_verify(worker: MathWorker) -> None:
    texts = references()
    found = {text: (await canonical(text, "math", worker)).key for text in texts}
    pairs = list(itertools.combinations(texts, 2))
    same = [(a, b) for a, b in pairs if found[a] == found[b]]
    sample = same + random.Random(0).sample(pairs, 100)
    # verify() takes an open interval for a set of two; we cannot, for sets have no order.
    pairs_of_sets = {("(-2,1)", "1,-2"), ("(-2,1)", "-2,1")}
    assert len(same) > 10
    for a, b in sample:
        forth = await worker.same(clean_latex(a), clean_latex(b))
        back = await worker.same(clean_latex(b), clean_latex(a))
        assert (found[a] == found[b]) == (forth or back) or (a, b) in pairs_of_sets, (a, b)


def test_votes_of_several_runs_agree(worker: MathWorker) -> None:
    first = asyncio.run(canonical(r"\sqrt{8}", "math", worker))
    assert first == asyncio.run(canonical(r"\sqrt{8}", "math", worker))
    assert first.key == asyncio.run(canonical(r"2\sqrt{2}", "math", worker)).key


def test_in_a_formula_as_text_every_sign_counts() -> None:
    formulas = ["6 - 4", "6 * 4", "6/(1-3/4)", "6/1-3/4", "-6", "6"]
    assert len({quick_key(formula, "text") for formula in formulas}) == len(formulas)
    assert quick_key("6 * 4.", "text") == quick_key("6*4", "text")

"""One notation for one meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.notation import clean_latex


@pytest.mark.parametrize(
    ("plain", "texts"),
    [
        (r"2\frac{1}{2}", ["2½", r"$2\tfrac{1}{2}$", r"2\dfrac{1}{2}."]),
        ("x^{4}", ["x⁴", "x^{4}", "x**4"]),
        ("x_{12}", ["x₁₂"]),
        ("10^{-3}", ["10⁻³", "10^{−3}"]),
        (r"\sqrt{2}", ["√2", r"\sqrt2", r"\sqrt 2", "√(2)", r"\sqrt(2)", r"\sqrt{2}"]),
        (r"\sqrt[3]{8}", ["∛8", r"\sqrt[3]8"]),
        ("2e", [r"2\mathrm{e}", r"2\operatorname{e}", r"2{\rm e}", r"2\text{e}"]),
        (r"\pi i", [r"\pi\mathrm{i}", r"\pi i"]),
        (r"\text{i}", [r"\text{i}"]),
        (r"\emptyset", ["∅", r"\varnothing", r"\{\}", r"\left\{ \right\}"]),
        (r"\frac{1}{3}", [r"0.\overline{3}", r"0.\bar3", r"0.\dot{3}", "0.(3)", "0.3\u0307",
                          r"\frac{1}{3}", "⅓", "¹⁄₃"]),
        (r"\frac{1}{7}", [r"0.\overline{142857}", r"0.\dot14285\dot7", "0.1\u03054\u03052\u03058"
                          "\u03055\u03057\u0305"]),
        (r"\frac{7}{30}", [r"0.2\overline{3}"]),
        ("10", [r"\binom{5}{2}", r"\binom52", r"\dbinom{5}2", r"{5 \choose 2}"]),
        (r"\binom{n}{2}", [r"\binom n2", r"\tbinom{n}{2}"]),
        ("18 dollars", [r"\text{18 dollars}", r"\textbf{18 dollars}"]),
        ("5 million", [r"5\text{ million}", r"\$5\text{ million}", "$5M", "5~million"]),
        ("5000", [r"5\,000", r"5\!000"]),
        ("12:30", ["12{:}30", r"12\colon30", "12∶30"]),
        ("5", [r"\approx 5", "≈5", "５", r"$5^\circ$"]),
        ("M + 5M", ["$M + 5M$"]),
        ("2.5(3)x", ["2.5(3)x"]),
    ],
)  # fmt: skip
def test_one_meaning_has_one_notation(plain: str, texts: list[str]) -> None:
    assert {text: clean_latex(text) for text in texts} == dict.fromkeys(texts, plain)


@given(st.text("0123456789.()\\{}$ dotbarinmsqreu½√²₂kM", max_size=40) | st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert "\n" not in clean_latex(text)

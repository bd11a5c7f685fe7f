"""Exact values that differ are different; a tolerance is relative, and belongs to decimals."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.closeness import alike


@given(st.fractions(), st.fractions())
def test_exact_numbers_are_alike_if_they_are_equal(a: Fraction, b: Fraction) -> None:
    assert alike(f"q:{a}", f"q:{b}", "", "") is (a == b)


@given(st.integers(-40, -1), st.integers(1, 999))
def test_a_tolerance_is_relative(exponent: int, digits: int) -> None:
    value = Fraction(digits) * Fraction(10) ** exponent
    near, far = value * (1 + Fraction(1, 10**7)), value * (1 + Fraction(1, 10**4))
    assert alike(f"q:{value}", f"q:{near}", "0.5", "") is (
        value * Fraction(1, 10**7) <= Fraction(5, 10**7)
    )
    assert alike(f"q:{value}", f"q:{far}", "0.5", "") is False
    assert alike(f"q:{value}", f"q:{near}", "", "") is False


@pytest.mark.parametrize(
    ("gold", "reply", "texts", "verdict"),
    [
        ("q:1/3", "q:333333/1000000", ("", "0.333333"), True),
        ("q:1/3", "q:333333/1000000", ("", ""), False),
        ("r:1.41421356237", "q:141421356237/100000000000", ("", ""), True),
        ("r:1.41421356237", "r:1.41421356238", ("", ""), False),
        ("r:oo", "r:-oo", ("", ""), False),
        ("z:q:3;q:1", "q:3", ("", ""), False),
        ("q:50", "q:1/2", ("50%", "0.5"), True),
        ("q:1/2", "q:50", ("", r"50\%"), True),
        ("q:50", "q:1/2", ("50", "0.5"), False),
        ("(q:1;q:2)", "(q:1;q:3)", ("", ""), False),
        ("(q:1;q:2)", "(q:1;q:2;q:3)", ("", ""), False),
        ("(q:1/3;q:2)", "(q:333333/1000000;q:2)", ("", "0.333333"), True),
        ("(q:1;q:2)", "s:{q:1;q:2}", ("", ""), None),
        ("s:{q:1/3;q:2}", "s:{q:2;q:333333/1000000}", ("", "0.333333"), True),
        ("s:{}", "s:{s:{}}", ("", ""), False),
        ("m:1x2:q:1;q:2", "m:1x2:q:1;q:3", ("", ""), False),
        ("u:(q:1;q:2)|(q:3;q:4)", "u:(q:1;q:2)|(q:3;q:5)", ("", ""), False),
        ("e:1.5,2,3", "e:1.5,2,4", ("", ""), None),
        ("e:1.5,2,3", "e:1.6,2,3", ("", ""), False),
        ("e:1.5,2,3", "e:1.500000001,2,3", ("1.5x", ""), None),
        ("e:1.5,2,3", "q:3/2", ("", ""), False),
        ("t:a", "q:1", ("", ""), None),
        ("n:1,2,\\ldots", "q:1", ("", ""), False),
        ("h:14:30 *", "h:2:30", ("2:30 PM", "2:30"), True),
        ("h:14:30 *", "h:14:30", ("2:30 PM", "14:30"), True),
        ("h:14:30 *", "h:2:30 *", ("2:30 PM", "2:30 AM"), False),
        ("h:10:15", "q:2/3", ("10:15", "2:3"), True),
        ("h:10:15", "q:2/3", ("10:15", "2/3"), False),
        ("q:3", "h:15:00 *", ("3", "3 PM"), True),
        ("b:2:1010", "q:1010", ("1010_2", "1010"), True),
        ("b:2:1010", "q:10", ("1010_2", "10"), False),
        ("q:10", "b:2:1010", ("10", "1010_2"), True),
        ("q:1010", "b:2:1010", ("1010", "1010_2"), False),
    ],
)
def test_alike(gold: str, reply: str, texts: tuple[str, str], verdict: bool | None) -> None:
    assert alike(gold, reply, *texts) is verdict

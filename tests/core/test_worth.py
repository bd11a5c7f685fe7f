"""The worth of a right answer: how it is read and written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ponder.core.errors import Limit, UsageError
from ponder.core.worth import Economy, Worth, said


@pytest.mark.parametrize(
    ("value", "worth"),
    [
        (0.05, Worth(0.05, "usd")),
        ("0.05", Worth(0.05, "usd")),
        ("0.05 usd", Worth(0.05, "usd")),
        ("5000 tokens", Worth(5000, "tokens")),
        ("5000tokens", Worth(5000, "tokens")),
        (" 2e-3 seconds ", Worth(0.002, "seconds")),
        ("1.5e13 flops", Worth(1.5e13, "flops")),
        (Worth(2, "seconds"), Worth(2, "seconds")),
    ],
)
def test_a_worth_is_an_amount_and_a_unit(value: Any, worth: Worth) -> None:
    assert Worth.read(value) == worth


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "-1",
        "x",
        "1 euro",
        "1,000 tokens",
        "e",
        0,
        -1,
        math.nan,
        math.inf,
        True,
        None,
        "inf",
    ],
)
def test_anything_else_is_refused_in_one_sentence(value: Any) -> None:
    with pytest.raises(UsageError) as error:
        Worth.read(value)
    assert str(error.value).startswith("the worth of a right answer must be an amount above zero")
    assert str(error.value).endswith(f"not {str(value)!r}.")  # as it was typed


@pytest.mark.parametrize(
    ("amount", "unit", "words"),
    [
        (0.002, "usd", "$0.002"),
        (1234.5, "usd", "$1,234"),
        (5000, "tokens", "5,000 tokens"),
        (2.5, "seconds", "2.5 s"),
        (1.8e12, "flops", "1.8e+12 FLOPs"),
    ],
)
def test_an_amount_is_said_with_its_unit(amount: float, unit: Limit, words: str) -> None:
    assert said(amount, unit) == words
    assert str(Worth(amount, unit)) == words


@pytest.mark.parametrize(("each", "wave"), [(0.0, 9), (1 / 15, 9), (0.5, 1), (1.0, 1)])
def test_a_wave_takes_what_is_nearly_free(each: float, wave: int) -> None:
    assert Economy(each=each).wave(9) == wave

"""Numbers on the command line."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ponder import cli
from ponder.cli.options.numbers import (
    ABOVE_ZERO,
    TOKENS,
    Finite,
    number_above_zero,
    numbers_above_zero,
    whole_numbers,
)
from ponder.core.errors import UsageError


def test_what_is_not_given_is_none() -> None:
    assert whole_numbers("--n", None) == []
    assert numbers_above_zero("--ratio", None) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("500", 500), ("500k", 500_000), ("1.5M", 1_500_000), ("20_000", 20_000), ("-2k", -2000)],
)
def test_tokens(text: str, number: int) -> None:
    assert TOKENS.convert(text, None, None) == number


def test_lists_and_one_number() -> None:
    assert whole_numbers("--n", "1, 2,8") == [1, 2, 8]
    assert numbers_above_zero("--ratio", "0.5, 2") == [0.5, 2.0]
    assert number_above_zero("--usd", "1e-2") == 0.01


@pytest.mark.parametrize("text", ["", "0", "1,,2", "1;2", "-1", "x", "nan", "inf"])
def test_what_is_no_number_above_zero_is_refused(text: str) -> None:
    for read, expected in (
        (whole_numbers, "whole numbers above zero, such as 1,2,4,8"),
        (numbers_above_zero, "numbers above 0, such as 0.1,1,10"),
        (number_above_zero, "one number above 0"),
    ):
        with pytest.raises(UsageError) as refused:
            read("--x", text)
        assert str(refused.value) == f"--x: expected {expected}, not {text!r}."


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "inf", "1e999"])
def test_the_type_of_an_option_refuses_what_is_no_finite_number_above_zero(text: str) -> None:
    assert ABOVE_ZERO.convert("1e-2", None, None) == 0.01
    with pytest.raises(click.BadParameter, match=r"finite number|range x>0|valid float"):
        ABOVE_ZERO.convert(text, None, None)


@pytest.mark.parametrize("text", ["nan", "1.5", "-inf"])
def test_a_range_refuses_nan(text: str) -> None:
    assert Finite(0, 1).convert("0.5", None, None) == 0.5
    with pytest.raises(click.BadParameter, match=r"finite number|range 0<=x<=1"):
        Finite(0, 1).convert(text, None, None)


def test_no_option_has_a_range_that_takes_nan() -> None:
    files = Path(cli.__file__).parent.rglob("*.py")
    found = {path.name for path in files if "click.FloatRange" in path.read_text(encoding="utf-8")}
    assert found == {"numbers.py"}

"""Plain numbers, times, ratios and bases."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.numerals import (
    NUMBER,
    based,
    clock_key,
    plain_number,
    ratio,
    ratio_key,
    without_bases,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5 million", "5000000"), ("2.5 Thousand", "2500"), ("3 dozen eggs", "36"),
        ("2 hundred thousand", "200000"), ("5 million 200 thousand", "5200000"),
        ("1 million and 5", "1000005"), ("3 tenths", "0.3"), ("2.5k", "2500"),
        ("-5 million", "-5000000"),
        ("1½", "1.5"), ("½", "0.5"), ("3×10⁴", "30000"), ("3 x 10^4", "30000"),
        ("3*10**-2", "0.03"),
        ("5 m", "5"), ("5 millimetres", "5"), ("5 m/s²", "5"), (r"5\frac{\text{m}}{\text{s}}", "5"),
        ("2e", None), ("2i", None), ("3!", None), ("√2", None), ("10⁴", None), ("12:30", None),
        ("1010_2", None), ("5 million 6 million", None), ("1/0", None), ("2π", None),
    ],
)  # fmt: skip
def test_a_plain_number_is_read_whole_or_not_at_all(text: str, value: str | None) -> None:
    assert plain_number(text, units=True) == (None if value is None else Fraction(value))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It is 2½ or ¾.", ["2½", "¾"]), ("10⁻³ m", ["10⁻³"]), ("3 x 10^4 m", ["3 x 10^4"]),
        ("√2 and 2√3", ["√2", "2√3"]), ("at 12:30 PM, 3:2", ["12:30 PM", "3:2"]),
        ("1010_2 and x_1", ["1010_2"]), ("5 million 200 thousand.", ["5 million 200 thousand"]),
        ("72!", ["72"]), ("3!.", ["3!"]), ("2e and 2x", ["2e", "2"]), (r"2\pi", [r"2\pi"]),
        ("$5M or $5k", ["$5M", "$5k"]), ("$5M$", ["$5"]), ("2^10", ["2^10"]),
        ("1,234.5%", ["1,234.5%"]),
    ],
)  # fmt: skip
def test_numbers_of_running_text_are_found_whole(text: str, numbers: list[str]) -> None:
    assert [found[0] for found in NUMBER.finditer(text)] == numbers


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("9:05", "h:9:05"), ("09:05", "h:9:05"), ("9:05:00", "h:9:05"), ("9:05:30", "h:9:05:30"),
        ("2:30 PM", "h:14:30 *"), (r"2:30\text{ p.m.}", "h:14:30 *"), ("12:00 AM", "h:0:00 *"),
        ("12:00 noon", "h:12:00 *"), ("12:00 midnight", "h:0:00 *"), ("3 PM", "h:15:00 *"),
        ("14:30", "h:14:30"), ("5:6", None), ("3", None), ("25:00", None), ("9:75", None),
        ("3 hours", None),
    ],
)  # fmt: skip
def test_times(text: str, key: str | None) -> None:
    assert clock_key(text) == key


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=5), st.integers(1, 99))
def test_a_ratio_is_in_least_terms(terms: list[int], factor: int) -> None:
    said = ":".join(map(str, terms))
    multiple = " : ".join(str(term * factor) for term in terms)
    assert ratio(said) == ratio(multiple)
    assert ratio_key(said) == ratio_key(multiple)
    assert ratio(said) != ratio(":".join(map(str, [terms[0] + 1, *terms[1:]])))


@pytest.mark.parametrize(("text", "key"), [("3:2", "q:3/2"), ("0.5:1:2", "k:1:2:4"), ("3:0", None)])
def test_ratios(text: str, key: str | None) -> None:
    assert ratio_key(text) == key


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1010_2", (10, 2, "1010")), ("(1010)_{2}", (10, 2, "1010")), ("0101_2", (5, 2, "101")),
        (r"101_{\text{two}}", (5, 2, "101")), (r"\text{FF}_{16}", (255, 16, "FF")),
        ("0x1f", (31, 16, "1F")),
        ("12_2", None), ("x_1", None), ("C_5", None), ("5_1", None), ("5_{40}", None),
        ("0b12", None),
    ],
)  # fmt: skip
def test_bases(text: str, found: tuple[int, int, str] | None) -> None:
    assert based(text) == found


def test_numerals_in_a_formula_are_written_in_ten() -> None:
    assert without_bases("52_8 - 45_{8} + a_1 + 3x_2") == "42 - 37 + a_1 + 3x_2"

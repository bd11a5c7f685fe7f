"""Errors of libraries in one line."""

from __future__ import annotations

import pytest

from ponder.util.errors import MOST, brief


@pytest.mark.parametrize(
    ("text", "line"), [("a\n  b\tc", "a b c"), (" ", "KeyboardInterrupt"), ("x" * 999, "x" * MOST)]
)
def test_an_error_is_one_short_line(text: str, line: str) -> None:
    assert brief(KeyboardInterrupt(text)) == line

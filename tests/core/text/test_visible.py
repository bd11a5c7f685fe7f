"""What is shown of foreign text: every control and every invisible character, and nothing else."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.text.visible import escape, visible, visible_line

CHARACTERS = [chr(i) for i in range(sys.maxunicode + 1)]
DRAWN_MARKS = {"\u06dd", "\u070f", "\u08e2"}  # format characters that a font draws
PAIRS = {
    "\x1b[2J": "\\x1b[2J",
    "\x1b]52;c;QUFB\x07": "\\x1b]52;c;QUFB\\x07",
    "\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\": (
        "\\x1b]8;;http://evil/\\x1b\\click\\x1b]8;;\\x1b\\"
    ),
    "right\rwrong": "right\\rwrong",
    "good\b\b\b\bbad": "good\\x08\\x08\\x08\\x08bad",
    "\x9b31m": "\\x9b31m",
    "\x7f": "\\x7f",
    "\u202eabc\u2069\u200f\u061c": "\\u202eabc\\u2069\\u200f\\u061c",
    "a\u200bb\ufeff\u2060\u034f": "a\\u200bb\\ufeff\\u2060\\u034f",
    "\U000e0041\U000e01ef": "\\U000e0041\\U000e01ef",
    "\u2028\u2029\x85\x0b\x0c": "\\u2028\\u2029\\x85\\x0b\\x0c",
    "\ud800": "\\ud800",
    "\u3164\u115f": "\\u3164\\u115f",
}
UNTOUCHED = [
    "a\n\tb",
    "é",
    "漢字\u3000かな",
    "שלום",
    "سلام",
    "❤\ufe0f",
    "\\x1b",
    "[red]a[/]",
    "a\xa0b",
]


@pytest.mark.parametrize("text", PAIRS)
def test_what_a_terminal_would_obey_or_a_reader_not_see_is_shown(text: str) -> None:
    assert visible(text) == visible_line(text) == PAIRS[text]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_a_reader_sees_stays(text: str) -> None:
    assert visible(text) == text


def test_a_line_stays_one_line() -> None:
    assert visible_line("a\n\tb") == "a\\n\\tb"


def test_every_control_format_separator_and_surrogate_is_shown() -> None:
    hidden = {
        c
        for c in CHARACTERS
        if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in "\t\n"
    }
    assert len(hidden) == 65 - 2 + 2048 + 2
    assert all(visible(c) != c for c in hidden)
    formats = {c for c in CHARACTERS if unicodedata.category(c) == "Cf"}
    left = {c for c in formats if visible(c) == c} - DRAWN_MARKS
    assert all("ARABIC" in unicodedata.name(c) or ord(c) > 0xFFFF for c in left)
    assert not any(unicodedata.bidirectional(c) in BIDI for c in left)


BIDI = {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_a_visible_text_has_nothing_more_to_show(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert shown.encode().decode() == shown
    assert visible_line(text) == shown.replace("\n", "\\n").replace("\t", "\\t")


def test_a_page_shows_it_too() -> None:
    assert escape("<b>\u202e\x1b") == "&lt;b&gt;\\u202e\\x1b"

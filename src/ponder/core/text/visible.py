r"""Foreign text, made safe to look at: the one rule for terminals, error sentences and pages.

A terminal obeys escape sequences, and a reader cannot see characters that reorder, hide or
overwrite what stands beside them. So each of them is shown as Python writes it in a string
(``\x1b``, ``\u202e``), and every other character stays, letters of all scripts among them.
"""

from __future__ import annotations

import html
import re

_HIDDEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # ignorable, with fillers of width 0
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi controls
    r"\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"  # two variations of emoji stay
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # tags among them
    r"\ud800-\udfff"  # lone surrogates
)
_IN_TEXT = re.compile(f"[{_HIDDEN}]")
_IN_LINE = re.compile(f"[{_HIDDEN}\t\n]")


def visible(text: str) -> str:
    """Return the text with all control and invisible characters made visible, except tab and
    newline.
    """
    return _IN_TEXT.sub(_escape, text)


def visible_line(text: str) -> str:
    """Return a text that stays on one line: tab and newline are made visible too."""
    return _IN_LINE.sub(_escape, text)


def escape(text: str, quote: bool = True) -> str:
    """Return text for a page: made visible, with markup escaped."""
    return html.escape(visible(text), quote)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def shown(value: object) -> object:
    """Make a text in a template visible; markup and values that are not text stay as they are."""
    return visible(value) if type(value) is str else value

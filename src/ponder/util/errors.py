"""Errors of libraries, in words that fit a sentence of ours."""

from __future__ import annotations

MOST = 300


def brief(error: BaseException) -> str:
    """Return the error in one line of at most ``MOST`` characters; its type if it has no text."""
    return " ".join(str(error).split())[:MOST] or type(error).__name__

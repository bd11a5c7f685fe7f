"""Labels that a model may reply with, and their share of its first token."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

ALTERNATIVES = 20
"""Number of likeliest tokens to request: the most that the OpenAI protocol allows."""
LEAST_MASS = 0.5
"""Least total probability of the labels for a reply to count as one of them."""

Match = Callable[[str, Iterable[str]], str | None]
"""Returns the label that a token stands for, if any."""


def masses(place: Mapping[str, float], labels: Iterable[str], match: Match) -> dict[str, float]:
    """Return the probability of each label: the sum over the tokens that stand for it.

    ``place`` holds the likeliest first tokens and their natural log-probabilities.
    """
    found = dict.fromkeys(labels, 0.0)
    for token, logprob in place.items():
        label = match(token, found)
        if label is not None:
            found[label] += math.exp(logprob)
    return found


def as_label(token: str, labels: Iterable[str]) -> str | None:
    """Return the label that a token spells, without blanks and punctuation around it."""
    word = _word(token)
    for label in labels:
        if word == label or (len(label) > 1 and word.casefold() == label.casefold()):
            return label
    return None


def begins(token: str, labels: Iterable[str]) -> str | None:
    """Return the label that a token spells in any case, or else the only one that it begins."""
    word, known = _word(token).casefold(), list(labels)
    equal = [label for label in known if label.casefold() == word]
    begun = [label for label in known if word and label.casefold().startswith(word)]
    found = equal or begun
    return found[0] if len(found) == 1 else None


def _word(token: str) -> str:
    return token.strip(" \t\r\n()[]*\"'`.:,")

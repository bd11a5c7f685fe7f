"""The features of a learned verifier. Standard library only.

Training reads pools and a run reads traces. Both turn them into ``Seen`` and compute the features
here, so that a scorer is asked about exactly the features that it was trained on.

==================  ==============================================================================
``agreement``       estimated probability that another sample gives the same answer (``Agreement``)
``log_tokens``      log(1 + generated tokens); missing where unknown, and for a prefix
``cut``             1 if the sample was truncated at its token limit, else 0
``score:NAME``      the score by the verifier of that name; missing where it abstained
``missing:FEATURE`` 1 where that feature is missing, else 0
==================  ==============================================================================
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

AGREEMENT, LENGTH, CUT = "agreement", "log_tokens", "cut"
OWN = (AGREEMENT, LENGTH, CUT)
SCORE, MISSING = "score:", "missing:"


@dataclass(frozen=True, slots=True)
class Seen:
    """One sample, as a learned verifier sees it."""

    key: Hashable | None
    """Identifies the answer: equal answers share a key. None if the sample has no answer."""
    tokens: float = 0.0
    """Number of generated tokens; 0 if unknown."""
    cut: bool = False
    """True if the sample was truncated at its token limit."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Scores by the verifier's name."""
    ended: bool = True
    """False for a prefix."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Estimates the probability that another sample gives the same answer, from the m others.

    The share among the m others (the sample itself left out) has the same mean for every m, but
    the fewer the others, the more noise: a coefficient learned beside fifteen others would trust
    three others far too much. So the share is shrunk towards ``prior``, as if ``strength`` more
    samples had agreed that often: (strength x prior + agreeing) / (strength + m). With prior and
    strength estimated from pools (``experiments.training.data``) this is the best estimate that is
    linear in the share, for every m (Bühlmann 1967, 'Experience rating and credibility'): its mean
    does not depend on m, and it is as reliable as it claims. Without others it is ``prior``.
    """

    prior: float = 0.5
    strength: float = 1.0

    def of(self, keys: Sequence[Hashable | None]) -> list[float | None]:
        """Return one estimate for each sample of a problem; None where it has no answer."""
        given, others = Counter(keys), len(keys) - 1
        return [
            None
            if key is None
            else (self.strength * self.prior + given[key] - 1) / (self.strength + others)
            for key in keys
        ]


def known(feature: str) -> bool:
    """Return True if the feature exists."""
    base = feature.removeprefix(MISSING)
    return base in OWN or (base.startswith(SCORE) and len(base) > len(SCORE))


def score_names(features: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the verifiers that these features come from."""
    return tuple(f.removeprefix(SCORE) for f in features if f.startswith(SCORE))


def rows(
    samples: Sequence[Seen], features: Sequence[str], agreement: Agreement
) -> list[list[float | None]]:
    """Return the features of the samples of one problem: a row each, None for a missing value."""
    agreeing = agreement.of([sample.key for sample in samples])
    return [
        [_feature(name, sample, agrees) for name in features]
        for sample, agrees in zip(samples, agreeing, strict=True)
    ]


def _feature(name: str, sample: Seen, agrees: float | None) -> float | None:
    if name.startswith(MISSING):
        return float(_feature(name.removeprefix(MISSING), sample, agrees) is None)
    if name == AGREEMENT:
        return agrees
    if name == LENGTH:
        return math.log1p(sample.tokens) if sample.tokens and sample.ended else None
    if name == CUT:
        return float(sample.cut)
    return sample.scores.get(name.removeprefix(SCORE))

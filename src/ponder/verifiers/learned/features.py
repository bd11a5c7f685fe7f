"""What a learned verifier looks at. Standard library only.

Training reads pools and a run reads traces; both make ``Seen`` of them and come through here, so
that what was learned is what is asked about.

==================  ==============================================================================
``agreement``       how likely another sample is to give the same answer (``Agreement``)
``log_tokens``      log(1 + generated tokens); missing where nobody counted, and of a beginning
``cut``             1 if the sample ended at its limit of tokens, else 0
``score:NAME``      what the verifier of that name gave it; missing where it abstained
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
    """One sample. ``key`` tells its answer from others (None: it has none), ``tokens`` is 0 where
    unknown, ``scores`` are by the verifier's name. One that has not ``ended`` is a beginning.
    """

    key: Hashable | None
    tokens: float = 0.0
    cut: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Agreement:
    """How likely another sample is to give the same answer, told from the m samples beside it.

    The share among the m others (the sample itself left out) has the same mean for every m, but
    the fewer others, the more noise; a coefficient that was learned beside fifteen others would
    trust three others far too much. So it is drawn towards ``prior``, as if ``strength`` more
    samples had agreed that often: (strength x prior + agreeing) / (strength + m). With prior and
    strength estimated from pools (``experiments.training.data``) this is the best estimate that is
    linear in the share, for every m (Bühlmann 1967, 'Experience rating and credibility'): its mean
    does not depend on m, and it is as reliable as it claims. Alone it is ``prior``.
    """

    prior: float = 0.5
    strength: float = 1.0

    def of(self, keys: Sequence[Hashable | None]) -> list[float | None]:
        """One figure for each of the samples of a problem; None where there is no answer."""
        given, others = Counter(keys), len(keys) - 1
        return [
            None
            if key is None
            else (self.strength * self.prior + given[key] - 1) / (self.strength + others)
            for key in keys
        ]


def known(feature: str) -> bool:
    """Whether there is such a feature."""
    base = feature.removeprefix(MISSING)
    return base in OWN or (base.startswith(SCORE) and len(base) > len(SCORE))


def score_names(features: Sequence[str]) -> tuple[str, ...]:
    """The verifiers that these features come from."""
    return tuple(f.removeprefix(SCORE) for f in features if f.startswith(SCORE))


def rows(
    samples: Sequence[Seen], features: Sequence[str], agreement: Agreement
) -> list[list[float | None]]:
    """The features of the samples of one problem: a row each, None for what is missing."""
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

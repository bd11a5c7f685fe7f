"""The vote of infinitely many samples, from those that were recorded.

With enough samples the most frequent answer of a model wins for certain, so the vote converges to
the share of problems whose right answer is the most frequent one ('Best-of-infinity', arXiv
2509.21091). Recorded samples leave that open where two answers are about equally frequent. By Bayes
with a uniform prior on the share of the one among both: of r samples with the right answer and w
with the strongest wrong one, the right one is the more frequent with probability
P(Beta(r + 1, w + 1) > 1/2).
"""

from __future__ import annotations

import numpy as np
import scipy

from ponder.experiments.stats.estimators import Floats, Ints

SETTLED = 0.975
"""Probability from which an answer counts as the most frequent one."""


def right_at_infinity(sizes: Ints, right: Floats) -> Floats:
    """Return the probability that the vote of infinitely many samples is right: (problems,).

    ``sizes`` and ``right`` (problems, classes) are as ``estimators.majority`` takes them. Weaker
    wrong answers are taken to be out of the race, which favours the right one where several are
    about as strong. A problem to which nobody has an answer is lost.
    """
    ours = np.where(right > 0.5, sizes, 0).max(axis=1)
    theirs = np.where(right > 0.5, 0, sizes).max(axis=1)
    ahead = scipy.special.betainc(theirs + 1.0, ours + 1.0, 0.5)
    return np.where(ours + theirs > 0, ahead, 0.0)

"""A learned verifier."""

from __future__ import annotations

import json
import math

from ponder.core.errors import PonderError
from ponder.verifiers.learned.features import Seen
from ponder.verifiers.learned.scorer import load
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile, json_text
from tests.support.fuzzing.places import file_of

SIGMOID = {
    "ponder_learned": 1,
    "features": ["agreement", "log_tokens", "score:sure", "missing:score:sure"],
    "agreement": {"prior": 0.5, "strength": 2.0},
    "means": [0.5, 4.0, 0.6, 0.1],
    "scales": [0.2, 1.0, 0.1, 0.3],
    "coefficients": [1.0, -0.5, 2.0, -1.0],
    "intercept": 0.1,
    "calibration": {"method": "sigmoid", "slope": -1.0, "offset": 0.2},
    "trained_on": {"salt": "s", "problems": ["0123456789abcdef"]},
    "about": {"models": ["m"], "problems": 24, "samples": 100},
}
STEPS = {**SIGMOID, "calibration": {"method": "isotonic", "x": [-1.0, 0.0, 1.0], "y": [0, 0.5, 1]}}


def read(data: bytes) -> None:
    """As a run reads it, and scores with it."""
    with file_of(data, "learned.json") as path:
        scorer = load(path)
        scorer.knows("p")
        samples = [Seen("42", 10, False, {"sure": 0.5}), Seen("43", 0), Seen(None, 3, True)]
        assert all(0 <= p <= 1 and math.isfinite(p) for p in scorer.probabilities(samples))


READER = Reader(
    hostile(json.dumps(SIGMOID).encode(), more=json_text(SIGMOID) | json_text(STEPS)),
    read,
    tuple(json.dumps(one).encode() for one in (SIGMOID, STEPS)),
    (PonderError,),
)

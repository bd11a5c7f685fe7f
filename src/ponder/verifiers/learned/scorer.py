"""The file of a learned verifier: logistic regression on scores, and how it is calibrated.

The file is data: numbers that are multiplied and added here, with the standard library alone. It
holds no reference answer and no text of a problem, and of the problems that it was trained on only
salted digests of their ids, so that nobody is measured on them. It names scores, and naming is all
that it can do: who asks for them decides which (``learned``).

Calibrated by a sigmoid (Platt 1999, 'Probabilistic outputs for support vector machines') or by
steps (Zadrozny and Elkan 2002, 'Transforming classifier scores into accurate probabilities').
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.files import read_regular
from ponder.verifiers.learned.features import (
    Agreement,
    Seen,
    known,
    rows,
    score_names,
)

FORMAT = 1
"""The version of the file, in its field ``ponder_learned``."""
MOST, LEAST_SCALE = 1e50, 1e-13
"""Bounds of a file's numbers, so that their products are finite whatever a score is."""


# Calibration --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """1 / (1 + exp(-(slope x f + offset))), of a decision value f (Platt 1999, equation 1)."""

    slope: float
    offset: float

    def of(self, decision: float) -> float:
        """Return the probability."""
        x = self.slope * decision + self.offset
        if x >= 0:
            return 1.0 / (1.0 + math.exp(-x))
        small = math.exp(x)
        return small / (1.0 + small)

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in the file."""
        return {"method": "sigmoid", "slope": self.slope, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class Steps:
    """Straight lines between knots whose ``x`` and ``y`` ascend; flat beyond the first and last."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def of(self, decision: float) -> float:
        """Return the probability."""
        right = bisect.bisect_left(self.x, decision)
        if right == 0:
            return self.y[0]
        if right == len(self.x):
            return self.y[-1]
        (x0, x1), (y0, y1) = self.x[right - 1 : right + 1], self.y[right - 1 : right + 1]
        return y0 + (y1 - y0) * (decision - x0) / (x1 - x0)

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in the file."""
        return {"method": "isotonic", "x": list(self.x), "y": list(self.y)}


Calibration = Sigmoid | Steps


# The scorer ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scorer:
    """A trained scorer: logistic regression on features, with its calibration."""

    features: tuple[str, ...]
    """Names of the features. ``means``, ``scales`` and ``coefficients`` are in this order."""
    agreement: Agreement
    means: tuple[float, ...]
    """Mean of each feature in training."""
    scales: tuple[float, ...]
    """Standard deviation of each feature in training."""
    coefficients: tuple[float, ...]
    """Coefficient of each standardised feature."""
    intercept: float
    calibration: Calibration
    """Turns the log-odds into a calibrated probability."""
    salt: str = ""
    """Salt of the digests in ``trained_on``."""
    trained_on: frozenset[str] = frozenset()
    """Digests of the ids of the problems that it was trained on."""
    about: Mapping[str, Any] | None = None
    """Description of the training data, carried along unread."""

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the scores among its features."""
        return score_names(self.features)

    def probabilities(self, samples: Sequence[Seen]) -> list[float]:
        """Return the probability that each sample of one problem is right.

        For a prefix it is the probability of becoming right; for a sample that ended without an
        answer it is 0.
        """
        found = rows(samples, self.features, self.agreement)
        return [
            0.0 if sample.key is None and sample.ended else self.calibration.of(self.decision(row))
            for sample, row in zip(samples, found, strict=True)
        ]

    def decision(self, row: Sequence[float | None]) -> float:
        """Return the log-odds before calibration. A missing feature counts as its mean."""
        terms = (
            coefficient * (value - mean) / scale
            for value, mean, scale, coefficient in zip(
                row, self.means, self.scales, self.coefficients, strict=True
            )
            if value is not None
        )
        return math.fsum((self.intercept, *terms))

    def knows(self, problem_id: str) -> bool:
        """Return True if it was trained on that problem."""
        return digest_of(problem_id, self.salt) in self.trained_on

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in the file."""
        return {
            "ponder_learned": FORMAT,
            "features": list(self.features),
            "agreement": {"prior": self.agreement.prior, "strength": self.agreement.strength},
            "means": list(self.means),
            "scales": list(self.scales),
            "coefficients": list(self.coefficients),
            "intercept": self.intercept,
            "calibration": self.calibration.to_json(),
            "trained_on": {"salt": self.salt, "problems": sorted(self.trained_on)},
            "about": dict(self.about or {}),
        }


def digest_of(problem_id: str, salt: str) -> str:
    """Return the salted digest of a problem's id."""
    return hashlib.blake2b(
        problem_id.encode(errors="replace"), digest_size=8, key=salt.encode(errors="replace")[:64]
    ).hexdigest()


# Reading ------------------------------------------------------------------------------------------


def load(path: Path | str) -> Scorer:
    """Read a file that ``ponder verifier train`` wrote.

    Raises:
        UsageError: it cannot be read, is something else, or is of another version.
    """
    return parsed(read_regular(path, "the learned verifier"), path)


def parsed(raw: bytes, path: Path | str) -> Scorer:
    """Return the scorer in the content of the file ``path``. Raises as ``load``."""
    try:
        value = parse(raw)
        if not isinstance(value, dict) or "ponder_learned" not in value:
            raise Malformed("it has no 'ponder_learned'")
        if value["ponder_learned"] != FORMAT:
            raise UsageError(
                f"{path} has format {repr(value['ponder_learned'])[:40]}, this Ponder reads "
                f"{FORMAT}: train it anew with 'ponder verifier train'."
            )
        return _scorer(value)
    except Malformed as error:
        raise UsageError(
            f"{path} is not a learned verifier ({error}): make one with 'ponder verifier train'."
        ) from None


def _scorer(value: Mapping[str, Any]) -> Scorer:
    features = value.get("features")
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise Malformed("'features' must be a list of names")
    for name in features:
        if not known(name):
            raise Malformed(f"there is no feature {name[:40]!r}")
    columns = [_numbers(value, name, len(features)) for name in ("means", "scales", "coefficients")]
    means, scales, coefficients = columns
    if not all(scale >= LEAST_SCALE for scale in scales):
        raise Malformed(f"'scales' must be {LEAST_SCALE:g} or more")
    beside, of = _object(value, "agreement"), _object(value, "trained_on")
    salt, problems = of.get("salt"), of.get("problems")
    if not isinstance(salt, str) or not isinstance(problems, list):
        raise Malformed("'trained_on' must have a salt and problems")
    agreement = Agreement(_number(beside, "prior"), _number(beside, "strength"))
    if agreement.strength <= 0:
        raise Malformed("'strength' must be above zero")
    about = _object(value, "about")
    decode(tuple[str, ...], about.get("models", []), "'about.models'")
    return Scorer(
        tuple(features),
        agreement,
        means,
        scales,
        coefficients,
        _number(value, "intercept"),
        _calibration(_object(value, "calibration")),
        salt,
        frozenset(decode(tuple[str, ...], problems, "'problems'")),
        about,
    )


def _calibration(value: Mapping[str, Any]) -> Calibration:
    method = value.get("method")
    if method == "sigmoid":
        return Sigmoid(_number(value, "slope"), _number(value, "offset"))
    if method != "isotonic":
        raise Malformed("'method' must be sigmoid or isotonic")
    size = len(value["x"]) if isinstance(value.get("x"), list) else 0
    x, y = (_numbers(value, name, size) if size else () for name in ("x", "y"))
    ascending = all(a < b for a, b in itertools.pairwise(x))
    if not x or not ascending or not all(0 <= p <= 1 for p in y):
        raise Malformed("the knots' 'x' must ascend, and their 'y' be from 0 to 1")
    return Steps(x, y)


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise Malformed(f"'{name}' must be an object")
    return found


def _number(value: Mapping[str, Any], name: str) -> float:
    return _numbers({name: [value.get(name)]}, name, 1)[0]


def _numbers(value: Mapping[str, Any], name: str, size: int) -> tuple[float, ...]:
    found = value.get(name)
    good = isinstance(found, list) and len(found) == size
    if not good or not all(type(x) in (int, float) and abs(x) <= MOST for x in found or ()):
        raise Malformed(f"'{name}' must be {size} finite number{'s' * (size != 1)}")
    return tuple(map(float, found or ()))

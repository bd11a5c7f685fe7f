"""A calibrated scorer trained from recorded pools: logistic regression on what other verifiers say.

The probability that a sample is right, as ``ponder verifier train`` learned it
(``experiments.training.train``). In a search over steps it judges beginnings too, by what is known
of them: length and agreement, which only the end will tell, count as missing.

The file is data: numbers that are multiplied and added here, with the standard library alone. It
holds no reference answer and no text of a problem, and of the problems that it was trained on only
salted digests of their ids, so that nobody is measured on them.

Calibrated by a sigmoid (Platt 1999, 'Probabilistic outputs for support vector machines') or by
steps (Zadrozny and Elkan 2002, 'Transforming classifier scores into accurate probabilities').
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Score, Trace
from ponder.verifiers.base import Verifier
from ponder.verifiers.confidence import Confidence
from ponder.verifiers.learned.features import (
    Agreement,
    Seen,
    known,
    rows,
    score_names,
)

FORMAT = 1
"""The version of the file, in its field ``ponder_learned``."""
KIND = "learned"


# Calibration --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """1 / (1 + exp(-(slope x f + offset))), of a decision value f (Platt 1999, equation 1)."""

    slope: float
    offset: float

    def of(self, decision: float) -> float:
        """The probability."""
        x = self.slope * decision + self.offset
        if x >= 0:
            return 1.0 / (1.0 + math.exp(-x))
        small = math.exp(x)
        return small / (1.0 + small)

    def to_json(self) -> dict[str, Any]:
        """As in the file."""
        return {"method": "sigmoid", "slope": self.slope, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class Steps:
    """Straight lines between knots whose ``x`` and ``y`` ascend; flat beyond the first and last."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def of(self, decision: float) -> float:
        """The probability."""
        right = bisect.bisect_left(self.x, decision)
        if right == 0:
            return self.y[0]
        if right == len(self.x):
            return self.y[-1]
        (x0, x1), (y0, y1) = self.x[right - 1 : right + 1], self.y[right - 1 : right + 1]
        return y0 + (y1 - y0) * (decision - x0) / (x1 - x0)

    def to_json(self) -> dict[str, Any]:
        """As in the file."""
        return {"method": "isotonic", "x": list(self.x), "y": list(self.y)}


Calibration = Sigmoid | Steps


# The scorer ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scorer:
    """What was learned. ``features``, ``means``, ``scales`` and ``coefficients`` go together;
    ``about`` says what of, and is only carried along.
    """

    features: tuple[str, ...]
    agreement: Agreement
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    calibration: Calibration
    salt: str = ""
    trained_on: frozenset[str] = frozenset()
    about: Mapping[str, Any] | None = None

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the scores that it looks at."""
        return score_names(self.features)

    def probabilities(self, samples: Sequence[Seen]) -> list[float]:
        """How likely each of the samples of one problem is to be right, or, if it is a beginning,
        to become so; 0 for one that ended without an answer.
        """
        found = rows(samples, self.features, self.agreement)
        return [
            0.0 if sample.key is None and sample.ended else self.calibration.of(self.decision(row))
            for sample, row in zip(samples, found, strict=True)
        ]

    def decision(self, row: Sequence[float | None]) -> float:
        """The log-odds before calibration. What is missing counts as the mean."""
        terms = (
            coefficient * (value - mean) / scale
            for value, mean, scale, coefficient in zip(
                row, self.means, self.scales, self.coefficients, strict=True
            )
            if value is not None
        )
        return math.fsum((self.intercept, *terms))

    def knows(self, problem_id: str) -> bool:
        """Whether it was trained on that problem."""
        return digest_of(problem_id, self.salt) in self.trained_on

    def to_json(self) -> dict[str, Any]:
        """As in the file."""
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
    """What a file keeps of the id of a problem."""
    return hashlib.blake2b(problem_id.encode(), digest_size=8, key=salt.encode()[:64]).hexdigest()


# Reading ------------------------------------------------------------------------------------------


class _Broken(ValueError):
    """What is wrong with a file."""


def load(path: Path | str) -> Scorer:
    """Read a file that ``ponder verifier train`` wrote.

    Raises:
        UsageError: it cannot be read, is something else, or is of another version.
    """
    return _parsed(_bytes(path), path)


def _bytes(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read the learned verifier {path}: {error.strerror or error}."
        ) from None


def _parsed(raw: bytes, path: Path | str) -> Scorer:
    try:
        value = json.loads(raw)
        if not isinstance(value, dict) or "ponder_learned" not in value:
            raise _Broken("it has no 'ponder_learned'")
        if value["ponder_learned"] != FORMAT:
            raise UsageError(
                f"{path} has format {value['ponder_learned']!r}, this Ponder reads {FORMAT}: "
                "train it anew with 'ponder verifier train'."
            )
        return _scorer(value)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, _Broken) else "not JSON"
        raise UsageError(
            f"{path} is not a learned verifier ({why}): make one with 'ponder verifier train'."
        ) from None


def _scorer(value: Mapping[str, Any]) -> Scorer:
    features = value.get("features")
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise _Broken("'features' must be a list of names")
    for name in features:
        if not known(name):
            raise _Broken(f"there is no feature {name[:40]!r}")
    columns = [_numbers(value, name, len(features)) for name in ("means", "scales", "coefficients")]
    means, scales, coefficients = columns
    if not all(scale > 0 for scale in scales):
        raise _Broken("'scales' must be above zero")
    beside, of = _object(value, "agreement"), _object(value, "trained_on")
    salt, problems = of.get("salt"), of.get("problems")
    if not isinstance(salt, str) or not isinstance(problems, list):
        raise _Broken("'trained_on' must have a salt and problems")
    agreement = Agreement(_number(beside, "prior"), _number(beside, "strength"))
    if agreement.strength <= 0:
        raise _Broken("'strength' must be above zero")
    return Scorer(
        tuple(features),
        agreement,
        means,
        scales,
        coefficients,
        _number(value, "intercept"),
        _calibration(_object(value, "calibration")),
        salt,
        frozenset(map(str, problems)),
        _object(value, "about"),
    )


def _calibration(value: Mapping[str, Any]) -> Calibration:
    method = value.get("method")
    if method == "sigmoid":
        return Sigmoid(_number(value, "slope"), _number(value, "offset"))
    if method != "isotonic":
        raise _Broken("'method' must be sigmoid or isotonic")
    size = len(value["x"]) if isinstance(value.get("x"), list) else 0
    x, y = (_numbers(value, name, size) if size else () for name in ("x", "y"))
    ascending = all(a < b for a, b in itertools.pairwise(x))
    if not x or not ascending or not all(0 <= p <= 1 for p in y):
        raise _Broken("the knots' 'x' must ascend, and their 'y' be from 0 to 1")
    return Steps(x, y)


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise _Broken(f"'{name}' must be an object")
    return found


def _number(value: Mapping[str, Any], name: str) -> float:
    return _numbers({name: [value.get(name)]}, name, 1)[0]


def _numbers(value: Mapping[str, Any], name: str, size: int) -> tuple[float, ...]:
    found = value.get(name)
    good = isinstance(found, list) and len(found) == size
    if not good or not all(type(x) in (int, float) and abs(x) < 1e300 for x in found or ()):
        raise _Broken(f"'{name}' must be {size} finite number{'s' * (size != 1)}")
    return tuple(map(float, found or ()))


# The verifier -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Learned:
    """Adds up what ``parts`` say, which go by the names of ``scorer.scores``. Those of ``asks`` are
    asked through the session, so that what they say is in the journal; the others read it off the
    trace.
    """

    name: str
    scorer: Scorer
    parts: tuple[Verifier, ...] = ()
    joint: bool = True

    @property
    def needs_logprobs(self) -> bool:
        """Whether one of them does."""
        return any(part.needs_logprobs for part in self.parts)

    @property
    def models(self) -> tuple[str, ...]:
        """Those of all of them."""
        return tuple(dict.fromkeys(model for part in self.parts for model in part.models))

    @property
    def asks(self) -> tuple[str, ...]:
        """The names that it asks the session for."""
        named = zip(self.scorer.scores, self.parts, strict=True)
        return tuple(name for name, part in named if not isinstance(part, Confidence))

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """The probability that each is right; 0 for a trace that ended without an answer."""
        found: list[dict[str, float]] = [{} for _ in traces]
        for name, scores in await self._parts(problem, traces, session):
            for known_, score in zip(found, scores, strict=True):
                if score.value is not None:
                    known_[name] = score.value
        samples = [
            Seen(t.answer.key if t.answer else None, t.tokens, t.finish == "length", scores, t.done)
            for t, scores in zip(traces, found, strict=True)
        ]
        agreeing = self.scorer.agreement.of([sample.key for sample in samples])
        likely = self.scorer.probabilities(samples)
        return [
            Score(p, self.name, self._detail(sample, agrees))
            for p, sample, agrees in zip(likely, samples, agreeing, strict=True)
        ]

    async def _parts(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[tuple[str, list[Score]]]:
        """What each of them says. Of one whose models fail, nothing: it counts as missing."""

        async def ask(child: Session, name: str) -> tuple[str, list[Score]]:
            return name, await child.score(traces, name)

        told = [
            (name, await part.score(problem, traces, session))
            for name, part in zip(self.scorer.scores, self.parts, strict=True)
            if isinstance(part, Confidence)
        ]
        if self.asks and traces:
            told += await session.gather([partial(ask, name=name) for name in self.asks])
        return told

    def _detail(self, sample: Seen, agrees: float | None) -> str:
        if agrees is None and sample.ended:
            return "no answer"
        parts = ["no answer yet" if agrees is None else f"agreement {agrees:.2f}"]
        for name in self.scorer.scores:
            value = sample.scores.get(name)
            parts.append(f"{name} missing" if value is None else f"{name} {value:.3g}")
        return ", ".join(parts)


def learned(find: Callable[[str], Verifier]) -> Callable[[str], Learned]:
    """How the verifier is made that a file holds; ``find`` knows those that it looks at.

    Its argument is a path, or ``PATH#DIGEST``, which is what it is called in a journal: that file
    as it was, since a run that is resumed must not mix two of them.

    Raises (when called):
        UsageError: the file is not as it must be, has changed, or looks at a score that is no
            verifier's.
    """

    def made(argument: str) -> Learned:
        path, _, expected = argument.partition("#")
        raw = _bytes(path)
        scorer = _parsed(raw, path)
        digest = hashlib.blake2b(raw, digest_size=4).hexdigest()
        if expected not in ("", digest):
            raise UsageError(
                f"the learned verifier {path} has changed: its digest is {digest}, and the name "
                f"says {expected}."
            )
        parts = tuple(_part(name, path, find) for name in scorer.scores)
        return Learned(f"{KIND}:{path}#{digest}", scorer, parts)

    return made


def _part(name: str, path: str, find: Callable[[str], Verifier]) -> Verifier:
    if f"{KIND}:" in name:  # it might be itself
        raise UsageError(f"{path} looks at {name!r}: a learned verifier asks no other learned one.")
    try:
        return find(name)
    except UsageError as error:
        raise UsageError(
            f"{path} looks at the score {name!r}, which cannot be asked for in a run: {error}"
        ) from None

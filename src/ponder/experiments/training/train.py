"""Learns the probability that a sample is right, from the graded samples of recorded pools.

Logistic regression on standardised features, then a calibration fitted to decision values of
problems that the regression did not see: by a sigmoid (Platt 1999) or in steps (isotonic; Zadrozny
and Elkan 2002). Folds are of whole problems, since the samples of one problem resemble each other.
Training needs scikit-learn; the trained scorer does not (``verifiers.learned.verifier``).
"""

from __future__ import annotations

import hashlib
import platform
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ponder._version import __version__
from ponder.core.errors import MissingExtra, UsageError
from ponder.experiments.pools.file import Pool
from ponder.experiments.stats.estimators import Bools, Floats, Ints
from ponder.experiments.training.data import (
    Examples,
    agreement_of,
    check_seeds,
    check_sources,
    examples,
    slim,
)
from ponder.verifiers.learned.features import MISSING, OWN, SCORE, Agreement, rows
from ponder.verifiers.learned.scorer import Calibration, Scorer, Sigmoid, Steps, digest_of
from ponder.verifiers.learned.verifier import LEARNED

if TYPE_CHECKING:
    from sklearn.calibration import CalibratedClassifierCV

Method = Literal["sigmoid", "isotonic"]
FOLDS = 5
FEWEST = 10
"""Fewest problems that can be learned from; a good fit needs far more."""
LABELLED = 3
"""Fewest problems with each label: one remains after two folds are taken away."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The features to learn from, and the calibration."""

    scores: tuple[str, ...] = ()
    """Names of scores to use, beside a sample's own features."""
    calibration: Method = "sigmoid"

    @property
    def features(self) -> tuple[str, ...]:
        """All candidate features; those that do not vary are left out."""
        return (*OWN, *(f"{SCORE}{name}" for name in self.scores))


@dataclass(frozen=True, slots=True)
class Source:
    """The training pools, read."""

    data: tuple[Examples, ...]
    files: tuple[str, ...]
    models: tuple[str, ...]

    @property
    def score_names(self) -> tuple[str, ...]:
        """The scores that any sample has, and that a run could compute."""
        found = dict.fromkeys(n for d in self.data for s in d.seen for n in s.scores)
        return tuple(name for name in found if not LEARNED.search(name))

    def recipe(self, scores: Sequence[str] = (), calibration: Method = "sigmoid") -> Recipe:
        """Return a recipe with these scores (none named: all that there are).

        Raises:
            UsageError: no sample has one of them.
        """
        have = self.score_names
        for name in scores:
            if name not in have:
                raise UsageError(
                    f"no sample has the score {name!r}; there "
                    + (f"are {', '.join(have)}." if have else "is none.")
                )
        return Recipe(tuple(dict.fromkeys(scores)) or have, calibration)


def read(
    pools: Sequence[Pool],
    *,
    mixed: bool = False,
    announce: Callable[[int], None] = lambda formulas: None,
) -> Source:
    """Read the training pools.

    Raises:
        UsageError: they are of several models (unless ``mixed``), hold the same samples, or are
            not graded.
    """
    check_sources(pools, mixed=mixed)
    data: list[Examples] = []
    ids: list[set[str]] = []
    for i, pool in enumerate(pools):
        entries = slim(pool)
        ids.append({entry.problem_id for entry in entries})
        for earlier, known in zip(pools[:i], ids, strict=False):
            check_seeds(earlier.header, pool.header, len(known & ids[i]))
        try:
            data += examples(entries, announce)
        except UsageError as error:
            raise UsageError(f"{pool.path}: {error}") from None
    models = dict.fromkeys(model for pool in pools for model in pool.header.models)
    return Source(tuple(data), tuple(pool.path.name for pool in pools), tuple(models))


# Fitting ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """Standardised features of all answered samples."""

    features: tuple[str, ...]
    means: Floats
    scales: Floats
    x: Floats
    """(samples, features); a missing value is 0, the mean."""
    correct: Bools
    fold: Ints
    """Fold of each sample."""


def fit(source: Source, recipe: Recipe) -> Scorer:
    """Fit a scorer to all of the data.

    Raises:
        MissingExtra: scikit-learn is not installed.
        UsageError: there is too little to learn from.
    """
    check(source.data)
    scorer = fitted(source.data, recipe)
    ids = sorted({problem.problem_id for problem in source.data})
    salt = hashlib.blake2b("\n".join(ids).encode(errors="replace"), digest_size=16).hexdigest()
    about = {
        "pools": list(source.files),
        "models": list(source.models),
        "problems": len(ids),
        "samples": sum(len(problem.answered) for problem in source.data),
        "versions": _versions(),
    }
    digests = frozenset(digest_of(name, salt) for name in ids)
    return replace(scorer, salt=salt, trained_on=digests, about=about)


def fitted(data: Sequence[Examples], recipe: Recipe) -> Scorer:
    """Return a scorer fitted to these problems, without a record of its origin."""
    agreement = agreement_of(data)
    table = tabulated(data, recipe, agreement)
    model = regression(table, recipe.calibration)
    calibrated = model.calibrated_classifiers_[0]
    linear = calibrated.estimator
    return Scorer(
        table.features,
        agreement,
        _floats(table.means),
        _floats(table.scales),
        _floats(linear.coef_[0]),
        float(linear.intercept_[0]),
        _calibration(calibrated.calibrators[0], recipe.calibration),
    )


def check(data: Sequence[Examples]) -> None:
    """Check that there is enough to learn from.

    Raises:
        UsageError: too few problems, or their labels hardly differ.
    """
    problems = {problem.problem_id for problem in data if problem.answered}
    if len(problems) < FEWEST:
        raise UsageError(
            f"{len(problems)} problem{'s' * (len(problems) != 1)} with answered samples "
            f"{'are' if len(problems) != 1 else 'is'} too few to learn from: record "
            f"{FEWEST} or more, better a hundred."
        )
    for label, word in ((True, "right"), (False, "wrong")):
        having = {p.problem_id for p in data if any(p.correct[i] is label for i in p.answered)}
        if len(having) < LABELLED:
            few = "no problem has" if not having else f"only {len(having)} of the problems have"
            raise UsageError(
                f"{few} {word} samples: there is nothing to learn where labels are all the same; "
                f"at least {LABELLED} problems must have right ones, and as many wrong ones."
            )


def folds_of(data: Iterable[Examples]) -> dict[str, int]:
    """Return the fold of each problem, by its id: from the hardest to the easiest in turn.

    So every fold has problems of every difficulty, and none has all that hold a label.
    """
    labels: dict[str, list[bool]] = defaultdict(list)
    for problem in data:
        labels[problem.problem_id] += [problem.correct[i] for i in problem.answered]
    ids = sorted((name for name in labels if labels[name]), key=lambda n: (_mean(labels[n]), n))
    return {name: i % FOLDS for i, name in enumerate(ids)}


def _mean(labels: Sequence[bool]) -> float:
    return sum(labels) / len(labels)


def tabulated(data: Sequence[Examples], recipe: Recipe, agreement: Agreement) -> Table:
    """Return the features of all answered samples, with a column for missing values.

    Raises:
        UsageError: no feature differs between samples.
    """
    fold = folds_of(data)
    names = recipe.features
    found = [
        (row, problem.correct[i], fold[problem.problem_id])
        for problem in data
        for i, row in enumerate(rows(problem.seen, names, agreement))
        if problem.seen[i].key is not None
    ]
    raw = np.array([row for row, _, _ in found], dtype=np.float64)
    gaps = np.isnan(raw)
    columns: list[tuple[str, Floats]] = []
    for i, name in enumerate(names):
        if not gaps[:, i].all():
            columns.append((name, raw[:, i]))
            columns.append((f"{MISSING}{name}", gaps[:, i].astype(np.float64)))
    columns = _different([(name, c) for name, c in columns if np.nanstd(c) > 1e-12])
    if not columns:
        raise UsageError("no feature differs between samples: there is nothing to learn from.")
    values = np.column_stack([column for _, column in columns])
    means, scales = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    return Table(
        tuple(name for name, _ in columns),
        means,
        scales,
        np.nan_to_num((values - means) / scales, nan=0.0),
        np.array([label for _, label, _ in found]),
        np.array([part for _, _, part in found]),
    )


def _different(columns: Sequence[tuple[str, Floats]]) -> list[tuple[str, Floats]]:
    """Return the columns that repeat none before them: two equal ones would share one weight."""
    kept: list[tuple[str, Floats]] = []
    for name, column in columns:
        if not any(np.array_equal(column, other, equal_nan=True) for _, other in kept):
            kept.append((name, column))
    return kept


def regression(table: Table, method: Method) -> CalibratedClassifierCV:
    """Return scikit-learn's model, fitted to the table.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import PredefinedSplit
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        raise MissingExtra("learn", "training a verifier") from None
    model = CalibratedClassifierCV(
        LogisticRegression(max_iter=1_000),
        method=method,
        cv=PredefinedSplit(table.fold),
        ensemble=False,
    )
    return model.fit(table.x, table.correct)


def _calibration(found: Any, method: Method) -> Calibration:
    if method == "sigmoid":
        return Sigmoid(
            -float(found.a_), -float(found.b_)
        )  # scikit-learn's is 1 / (1 + exp(a f + b))
    return Steps(_floats(found.X_thresholds_), _floats(found.y_thresholds_))


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(map(float, values))


def _versions() -> dict[str, str]:
    learn = metadata.version("scikit-learn")
    return {"ponder": __version__, "python": platform.python_version(), "scikit-learn": learn}


# Cross-validation ---------------------------------------------------------------------------------


def recipe_of(scorer: Scorer) -> Recipe:
    """Return the recipe of a scorer, to train others in the same way."""
    method = scorer.calibration.to_json()["method"]
    return Recipe(scorer.scores, cast(Method, method))


def cross_fitted(data: Sequence[Examples], recipe: Recipe) -> Mapping[str, Scorer]:
    """Return, for each problem by its id, a scorer trained on the folds without that problem.

    Raises:
        MissingExtra, UsageError: as ``fit``.
    """
    check(data)
    fold = folds_of(data)
    parts = [
        fitted([p for p in data if fold.get(p.problem_id) not in (None, part)], recipe)
        for part in range(FOLDS)
    ]
    return {p.problem_id: parts[fold.get(p.problem_id, 0)] for p in data}

"""Training and evaluating a learned verifier: closed forms, brute force, scikit-learn itself."""

from __future__ import annotations

import functools
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.experiments.pools import file as pools
from ponder.experiments.pools.samples import Entry, Header, Sample
from ponder.experiments.stats import columns, scoring
from ponder.experiments.training import evaluation as training_eval
from ponder.experiments.training import train as training
from ponder.experiments.training.data import Examples, agreement_of, examples
from ponder.experiments.training.metrics import (
    auroc,
    expected_calibration_error,
    measure,
    reliability,
)
from ponder.experiments.training.train import Recipe, Source
from ponder.verifiers.learned.features import Agreement, Seen, rows
from ponder.verifiers.learned.scorer import Scorer, load
from tests.support.training import SECRET, entries


def source(**changes: Any) -> Source:
    return Source(tuple(examples(entries(**changes))), ("a.jsonl",), ("m",))


@functools.cache
def trained() -> Scorer:
    found = source()
    return training.fit(found, found.recipe())


# Measures -----------------------------------------------------------------------------------------

SAMPLES = st.lists(
    st.tuples(st.integers(0, 4).map(lambda x: x / 4), st.booleans(), st.integers(0, 3)),
    min_size=2,
    max_size=12,
).filter(lambda rows: len({right for _, right, _ in rows}) == 2)


def pairs(rows: list[Any], same: bool = False) -> float:
    """How likely a right one is above a wrong one, pair by pair."""
    found = [
        (a > b) + (a == b) / 2
        for (a, right, i), (b, wrong, j) in itertools.product(rows, rows)
        if right and not wrong and (i == j or not same)
    ]
    return sum(found) / len(found) if found else math.nan


@settings(max_examples=25, deadline=None)
@given(SAMPLES)
def test_auroc_is_a_count_of_pairs(rows: list[Any]) -> None:
    likely, right, times = (np.array(part) for part in zip(*rows, strict=True))
    assert auroc(likely, right)[0] == pytest.approx(pairs(rows))
    repeated = [row for row in rows for _ in range(row[2])]
    expected = pairs(repeated)
    found = auroc(likely, right, times[None, :].astype(np.float64))[0]
    assert found == pytest.approx(expected, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(SAMPLES)
def test_auroc_within_problems(rows: list[Any]) -> None:
    likely, right, problem = (np.array(part) for part in zip(*rows, strict=True))
    found = measure(likely, right, problem).within
    expected = pairs(rows, same=True)
    assert (found is None) == math.isnan(expected)
    assert found is None or found.value == pytest.approx(expected)


def test_brier_and_reliability_by_hand() -> None:
    likely = np.array([0.1, 0.2, 0.6, 0.9])
    right = np.array([False, True, True, True])
    found = measure(likely, right, np.array([0, 0, 1, 1]))
    assert found.brier.value == pytest.approx((0.01 + 0.64 + 0.16 + 0.01) / 4)
    assert found.brier.low == pytest.approx((0.16 + 0.01) / 2)  # the second problem twice
    assert found.brier.high == pytest.approx((0.01 + 0.64) / 2)
    assert (found.base_rate, found.reference) == (0.75, 0.1875)
    assert [(b.predicted, b.observed, b.count) for b in found.reliability] == [
        (0.1, 0.0, 1), (0.2, 1.0, 1), (0.6, 1.0, 1), (0.9, 1.0, 1),
    ]  # fmt: skip
    assert found.ece == pytest.approx((0.1 + 0.8 + 0.4 + 0.1) / 4)


def test_bins_hold_as_many_samples_each() -> None:
    likely = np.linspace(0, 1, 25)
    bins = reliability(likely, likely > 0.5)
    assert [b.count for b in bins] == [3] * 5 + [2] * 5
    assert sum(b.predicted * b.count for b in bins) == pytest.approx(12.5)
    assert expected_calibration_error(bins) == pytest.approx(
        sum(abs(b.predicted - b.observed) * b.count for b in bins) / 25
    )


def test_without_both_labels_there_is_nothing_to_measure() -> None:
    with pytest.raises(UsageError, match="all answered samples are right"):
        measure(np.array([0.5]), np.array([True]), np.array([0]))


# Agreement ----------------------------------------------------------------------------------------


def problem(name: str, keys: str, right: str = "a") -> Examples:
    seen = tuple(Seen(None if key == " " else key) for key in keys)
    return Examples(name, seen, tuple(key == right for key in keys))


def test_the_agreement_is_estimated_by_hand() -> None:
    # c / m: aaab 2/3 x 3, 0; cdef 0 x 4. c (c - 1) / (m (m - 1)): 2/6 x 3, 0, 0 x 4
    found = agreement_of([problem("1", "aaab"), problem("2", "cdef")])
    mean, square = 2 / 8, 1 / 8
    assert found.prior == pytest.approx(mean)
    assert found.strength == pytest.approx((mean - square) / (square - mean**2))


def test_without_others_nothing_is_known_of_agreement() -> None:
    assert agreement_of([problem("1", "a")]) == Agreement(0.5, 1.0)
    assert agreement_of([problem("1", "aa"), problem("2", "ab")]) == Agreement(0.5, 1.0)
    assert agreement_of([problem("1", "abcd")]) == Agreement(0.0, 100.0)


# Fitting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_the_file_says_what_scikit_learn_says(method: Any, tmp_path: Path) -> None:
    found = source()
    recipe = found.recipe(calibration=method)
    path = tmp_path / "learned.json"
    path.write_text(json.dumps(training.fit(found, recipe).to_json()))
    scorer = load(path)
    assert scorer.features == (
        "agreement", "log_tokens", "score:sure", "score:rare", "missing:score:rare",
    )  # fmt: skip
    table = training.tabulated(found.data, recipe, agreement_of(found.data))
    expected = training.regression(table, method).predict_proba(table.x)[:, 1]
    told = [p for d in found.data for p in scorer.probabilities(d.seen)]
    answered = [s.key is not None for d in found.data for s in d.seen]
    assert np.array(told)[answered] == pytest.approx(expected, abs=1e-9)
    assert not np.array(told)[np.logical_not(answered)].any()
    assert len(set(told)) > 10


def test_training_twice_gives_the_same_file() -> None:
    found = source()
    assert training.fit(found, found.recipe()).to_json() == trained().to_json()


def test_no_gold_no_text_and_no_problem_is_in_the_file() -> None:
    scorer = trained()
    text = json.dumps(scorer.to_json())
    assert SECRET not in text
    assert "secret/" not in text
    assert "the text of" not in text
    assert '"a.jsonl"' in text
    assert all(scorer.knows(d.problem_id) for d in source().data)
    assert not scorer.knows("secret/1/0")


def test_folds_are_of_whole_problems_of_every_difficulty() -> None:
    found = source(problems=23)
    doubled = (*found.data, *found.data)
    fold = training.folds_of(doubled)
    assert fold == training.folds_of(found.data)
    sizes = [list(fold.values()).count(i) for i in range(training.FOLDS)]
    assert max(sizes) - min(sizes) <= 1
    share = {d.problem_id: np.mean([d.correct[i] for i in d.answered]) for d in found.data}
    means = [np.mean([share[p] for p in fold if fold[p] == i]) for i in range(training.FOLDS)]
    assert max(means) - min(means) < 0.2


def test_cross_fitting_never_sees_the_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    found = source()
    seen: dict[int, set[str]] = {}
    fitted = training.fitted

    def watched(data: Any, recipe: Recipe) -> Any:
        scorer = fitted(data, recipe)
        seen[id(scorer)] = {d.problem_id for d in data}
        return scorer

    monkeypatch.setattr(training, "fitted", watched)
    scorers = training.cross_fitted(found.data, found.recipe())
    assert len(seen) == training.FOLDS
    for name, scorer in scorers.items():
        assert name not in seen[id(scorer)]
        assert len(seen[id(scorer)]) >= 19


def test_the_recipe_is_read_off_the_scorer() -> None:
    found = source()
    assert training.recipe_of(trained()) == found.recipe()
    recipe = Recipe(("sure",), "isotonic")
    assert training.recipe_of(training.fit(found, recipe)) == recipe


def few(right: int, problems: int = 12) -> list[Examples]:
    return [problem(str(i), "ab" if i < right else "bc") for i in range(problems)]


TOO_LITTLE: list[tuple[list[Examples], str]] = [
    ([], "0 problems with answered samples are too few to learn from: record 10 or more"),
    ([problem("1", "ab")], "1 problem with answered samples is too few"),
    ([problem(str(i), "  ") for i in range(20)], "0 problems with answered samples"),
    (few(0), "no problem has right samples: there is nothing to learn where labels are all"),
    (few(2), "only 2 of the problems have right samples"),
    ([problem(str(i), "aa") for i in range(12)], "no problem has wrong samples"),
    ([problem(str(i), "a" if i < 6 else "b") for i in range(12)], "no feature differs"),
]


@pytest.mark.parametrize(("data", "why"), TOO_LITTLE)
def test_too_little_to_learn_from(data: list[Examples], why: str) -> None:
    with pytest.raises(UsageError) as refused:
        training.fit(Source(tuple(data), (), ()), Recipe())
    assert why in str(refused.value)


def test_three_problems_of_a_label_are_enough_for_every_fold() -> None:
    data = [*few(3, 10), problem("more", "bbc"), problem("still more", "bbc")]
    assert len(training.cross_fitted(data, Recipe())) == 12


def written(folder: Path, name: str, header: Header, **changes: Any) -> pools.Pool:
    pools.write(folder / name, header, entries(**changes))
    return pools.Pool(folder / name)


def test_pools_are_of_one_model_and_of_different_samples(tmp_path: Path) -> None:
    m0 = written(tmp_path, "m0", Header(("m",), {"seed": 0}))
    m1 = written(tmp_path, "m1", Header(("m",), {"seed": 1}), seed=1)
    again = written(tmp_path, "again", Header(("m",), {"seed": 0}))
    other = written(tmp_path, "other", Header(("o",), {"seed": 0}))
    assert len(training.read([m0, m1]).data) == 48
    with pytest.raises(UsageError, match="is given twice"):
        training.read([m0, m0])
    with pytest.raises(UsageError, match=r"24 problems in common .* same seed"):
        training.read([m0, again])
    with pytest.raises(UsageError, match="train on pools of one model, or say --mixed"):
        training.read([m0, other])
    assert training.read([m0, other], mixed=True).models == ("m", "o")


# Evaluating ---------------------------------------------------------------------------------------


def test_groups_are_disjoint_and_scored_by_themselves() -> None:
    known = entries(n=7)
    data = examples(known)
    deal = training_eval.dealt(data, known, 3, seed=0)
    assert deal.first == 2 * len(known)
    assert len(deal.rows) == training_eval.DEALS * deal.first
    assert {len(e.samples) for e in deal.entries} == {3}
    for i in range(len(known)):
        both = [e.samples for e, row in zip(deal.entries[: deal.first], deal.rows, strict=False)
                if row == i]  # fmt: skip
        ids = [id(sample) for group in both for sample in group]
        assert len(set(ids)) == len(ids) == 6
    for group, kept in zip(deal.examples, deal.entries, strict=True):
        agrees = [row[0] for row in rows(group.seen, ["agreement"], Agreement(0.5, 1.0))]
        assert all(a is None or a <= (0.5 + 2) / 3 for a in agrees)
        assert [s.key is None for s in group.seen] == [s.answer is None for s in kept.samples]


def test_all_samples_are_one_group_and_agree_with_scoring_a_pool() -> None:
    known = entries()
    data = examples(known)
    scorer = trained()
    told = training_eval.evaluate(
        known, data, dict.fromkeys((e.problem_id for e in known), scorer), n=8
    )
    report = scoring.score(columns.read(known), n=[8])
    expected = {row.by: row for row in report.rows}
    for row in told.rows:
        if row.by in expected:
            assert row.accuracy == pytest.approx(expected[row.by].accuracy)
            # Added up beside other columns, so the last digits depend on the processor.
            low, high = expected[row.by].low, expected[row.by].high
            assert (row.low, row.high) == pytest.approx((low, high), abs=1e-12)
            assert row.cost == pytest.approx(expected[row.by].cost)
    assert told.metrics.samples == sum(len(d.answered) for d in data)
    best = next(row for row in told.rows if row.by == "best:learned")
    gain = best.accuracy - expected["majority"].accuracy
    assert next(iter(told.differences.values())).difference == pytest.approx(gain)


def test_a_score_that_knows_reaches_coverage() -> None:
    def knowing(entry: Entry) -> Entry:
        samples = tuple(
            Sample(s.answer, s.correct, {"oracle": float(bool(s.correct))}, s.tokens,
                   verified={"oracle": {"tokens": 5.0}})
            for s in entry.samples
        )  # fmt: skip
        return Entry(entry.problem_id, None, "number", samples)

    known = [knowing(entry) for entry in entries(n=9)]
    data = examples(known)
    scorer = training.fit(Source(tuple(data), (), ()), Recipe(("oracle",)))
    told = training_eval.evaluate(
        known, data, dict.fromkeys((e.problem_id for e in known), scorer), n=4
    )
    row = {row.by: row for row in told.rows}
    assert row["best:learned"].accuracy == pytest.approx(row["coverage"].accuracy)
    assert told.metrics.auroc.value == 1.0
    plain = row["majority"].cost["tokens"]
    assert row["best:learned"].cost["tokens"] == pytest.approx(plain + 4 * 5)


def test_what_it_was_trained_on_is_left_out() -> None:
    old, new = entries(), entries(seed=1)
    scorer = trained()
    both = [*old, *new]
    kept, data = training_eval.untrained(both, examples(both), scorer)
    assert kept == new
    assert [d.problem_id for d in data] == [e.problem_id for e in new]
    with pytest.raises(UsageError, match="all 24 problems of the pool were trained on"):
        training_eval.untrained(old, examples(old), scorer)


def test_a_pool_must_have_what_the_scorer_looks_at() -> None:
    scorer = trained()
    bare = [
        Examples(d.problem_id, tuple(Seen(s.key) for s in d.seen), d.correct) for d in source().data
    ]
    with pytest.raises(UsageError, match="no sample of the pool has the score 'sure'"):
        training_eval.check_scores(bare, scorer)

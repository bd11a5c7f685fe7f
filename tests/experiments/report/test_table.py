"""Configurations side by side: what is aligned, what is missing, what shares its resamples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.experiments.stats import intervals
from ponder.experiments.stats.series import Series
from tests.support.series import made, table_of

IDS = [f"p{i}" for i in range(6)]
series = st.lists(st.sampled_from(IDS), min_size=1, unique=True).flatmap(
    lambda ids: st.lists(st.floats(0, 1), min_size=len(ids), max_size=len(ids)).map(
        lambda values: made("random", {1: values}, ids=ids)
    )
)


@given(st.lists(series, min_size=1, max_size=4))
def test_each_value_stands_by_its_problem(given: list[Series]) -> None:
    table = table_of(*given)
    for i, one in enumerate(given):
        [column] = table.columns(i)
        there = dict(zip(one.problem_ids, one.points[0].values, strict=True))
        for row, name in enumerate(table.problem_ids):
            value = table.values[row, column]
            assert value == there[name] if name in there else np.isnan(value)
        assert {table.problem_ids[row] for row in table.rows([column])} == set(there)
    common = set.intersection(*(set(one.problem_ids) for one in given))
    assert {table.problem_ids[row] for row in table.shared} == common


def test_coverage_is_no_reason_to_leave_a_problem_out() -> None:
    table = table_of(made("a", {1: [1, 0]}), made("coverage", {1: [1]}, ids=["p0"]))
    assert table.shared.tolist() == [0, 1]
    assert len(table_of(made("coverage", {1: [1, 0]})).shared) == 0


def test_costs_are_a_column_each_and_may_be_unknown() -> None:
    table = table_of(made("a", {1: [1], 4: [1]}, cost=3.0), made("b", {2: [1]}, cost=0.0))
    assert table.cost("flops")[:2].tolist() == [3.0, 12.0]
    assert np.isnan(table.cost("flops")[2])
    assert np.isnan(table.cost("usd")).all()
    assert (table.largest(0), table.largest(1)) == (1, 2)


def test_the_problems_of_a_comparison_are_resampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(made("a", {1: [1, 0, 1]}), made("b", {1: [0, 0, 1], 2: [1, 1, 1]}))
    drawn = []
    real = intervals.resampled_means
    monkeypatch.setattr(
        intervals,
        "resampled_means",
        lambda v, seed: drawn.append(seed) or real(v, seed),  # type: ignore[func-returns-value]
    )
    rows = table.rows([0, 1])
    assert table.difference(0, 1, rows).difference == pytest.approx(1 / 3)
    assert table.difference(2, 0, rows).difference == pytest.approx(1 / 3)
    table.difference(0, 1, table.rows([0, 1], among=["p0", "p1"]))
    assert len(drawn) == 2

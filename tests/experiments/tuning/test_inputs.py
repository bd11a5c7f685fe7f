"""Results of evaluations as plans: what is taken, what is left out, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.experiments.evals.store import Store
from ponder.experiments.tuning import fitting, inputs
from ponder.experiments.tuning.candidates import Fixed
from ponder.planning.plans import load, to_toml
from tests.support.commands import ponder
from tests.support.evaluation import PROBLEMS, Capture, evaluate, suite


@pytest.fixture
def store(tmp_path: Path, capsys: Capture) -> Path:
    path = tmp_path / "results.sqlite"
    for strategy, more in (("direct", ()), ("best_of_n", ("--verifier", "lowest_group"))):
        how = ("-s", strategy, *more, "--set", "length=300", "--store", str(path), "-q")
        assert evaluate(capsys, tmp_path, *how)[0] == 0
    return path


@pytest.fixture
def pool(tmp_path: Path, capsys: Capture) -> Path:
    path = tmp_path / "pool.jsonl"
    how = ("--suite", suite(tmp_path), "-m", "simulated", "--n", "4", "-o", str(path), "-q")
    assert ponder(capsys, "pool", "record", *how)[0] == 0
    return path


def spoilt(path: Path, sql: str) -> None:
    made = Store(path)
    made._execute(sql)
    made.close()


def test_configurations_are_plans_of_any_strategy(store: Path, tmp_path: Path) -> None:
    found = inputs.read([store])
    assert (found.pools, found.unit, found.problems) == ((), "flops", PROBLEMS)
    direct, best = found.evaluated
    assert (direct.preset.strategy, direct.preset.sampling.length) == ("direct", 300)
    assert (best.preset.strategy, best.preset.verifier) == ("best_of_n", "lowest_group")
    assert best.preset.knobs == {}
    assert best.cost.mean() > 4 * direct.cost.mean()
    tuned = fitting.tune(found, "today")
    plans, _ = fitting.plans(tuned, found, "today", 0)
    path = tmp_path / "plans.toml"
    path.write_text(to_toml(plans), encoding="utf-8")
    back = load(path)
    assert back.efforts == plans.efforts
    assert back.difficulty is None
    assert back.fit["results"] == [f"{one.name}: simulated" for one in found.evaluated]
    assert {e.strategy for e in back.efforts.values()} <= {"direct", "best_of_n"}
    assert tuned.sample == pytest.approx(direct.cost[fitting.split(PROBLEMS, 0.5, 0)[0]].mean())


def test_pools_and_results_of_the_same_problems_compete(store: Path, pool: Path) -> None:
    found = inputs.read([pool, store])
    tuned = fitting.tune(found, "today")
    named = [row.plan for row in tuned.table]
    assert [plan.place for plan in named if isinstance(plan, Fixed)] == [0, 1]
    assert len(named) > 4
    assert tuned.outlook is not None


def test_what_the_judged_results_say_has_no_part_in_the_choice(store: Path) -> None:
    before = fitting.tune(inputs.read([store]), "today")
    judged = fitting.split(PROBLEMS, 0.5, 0)[1]
    ids = [f"'{name}'" for i, name in enumerate(_ids(store)) if i in judged]
    spoilt(
        store, f"update outcomes set correct = 1 - correct where problem_id in ({','.join(ids)})"
    )
    after = fitting.tune(inputs.read([store]), "today")
    assert [e.chosen.plan for e in after.efforts] == [e.chosen.plan for e in before.efforts]
    assert [e.chosen.accuracy for e in after.efforts] != [e.chosen.accuracy for e in before.efforts]


def _ids(path: Path) -> list[str]:
    made = Store(path)
    try:
        return [one.problem_id for one in made.outcomes(made.configurations()[0].id)]
    finally:
        made.close()


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("delete from outcomes where position = 1 and configuration = {0}", "lacks 1 of the 12"),
        ("update outcomes set correct = null where configuration = {0}", "is not graded"),
        ("update outcomes set state = 'failed' where configuration = {0}", "not ended or failed"),
    ],
)
def test_a_configuration_that_does_not_fit_is_left_out(store: Path, sql: str, why: str) -> None:
    direct = inputs.read([store]).evaluated[0]
    made = Store(store)
    [own] = [one.id for one in made.configurations() if one.name == direct.name]
    made.close()
    spoilt(store, sql.format(f"'{own}'"))
    found = inputs.read([store])
    assert [one.preset.strategy for one in found.evaluated] == ["best_of_n"]
    [told] = found.left_out
    assert told.startswith(f"{direct.name} of {store} ")
    assert why in told


def test_an_efforts_thinking_is_not_in_the_results(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "results.sqlite"
    model = ("-m", "simulated(thinking=60)", "--store", str(path), "-q")
    done = evaluate(capsys, tmp_path, "-e", "low", *model)
    assert done[0] == 0, done
    with pytest.raises(UsageError, match="has its thinking from an effort: evaluate it with"):
        inputs.read([path])
    how = ("-s", "direct", "--set", "thinking=low", *model)
    assert evaluate(capsys, tmp_path, *how)[0] == 0
    found = inputs.read([path])
    assert [str(one.preset.sampling.thinking) for one in found.evaluated] == ["low"]
    assert len(found.left_out) == 1


# Refusals -----------------------------------------------------------------------------------------


def test_other_problems_and_other_suites_are_refused(store: Path, pool: Path) -> None:
    rows = [json.loads(row) for row in pool.read_text().splitlines()]
    for row in rows[1:]:
        row["problem_id"] += "x"
    other = pool.with_name("other.jsonl")
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(
        UsageError, match=r"nothing in .*results.sqlite has the problems of .*other"
    ):
        inputs.read([other, store])
    with pytest.raises(UsageError, match="there are no results of the suite 'gsm8k', but of "):
        inputs.read([store], suite="gsm8k")
    spoilt(store, "update configurations set suite = 'another' where name like 'best_of_n%'")
    with pytest.raises(UsageError, match=r"several suites \(.*\): say which with --suite"):
        inputs.read([store])
    assert [one.preset.strategy for one in inputs.read([store], suite="another").evaluated] == [
        "best_of_n"
    ]
    assert [one.preset.strategy for one in inputs.read([pool, store]).evaluated] == ["direct"]


def test_an_empty_store_and_a_plan_of_another_ponder_are_refused(
    store: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.sqlite"
    Store(empty, make=True).close()
    with pytest.raises(UsageError, match="has no results: 'ponder eval' makes some"):
        inputs.read([empty])
    resolved: dict[str, Any] = {"strategy": "gone", "knobs": {}, "sampling": {}, "budget": {}}
    spoilt(store, f"update configurations set resolved = '{json.dumps(resolved)}'")
    with pytest.raises(
        UsageError, match=r"is no plan of this Ponder .*: forget it with 'ponder ev"
    ):
        inputs.read([store])

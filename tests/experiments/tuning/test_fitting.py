"""Plans fitted to pools: outcomes in closed form, the choice, and what it is judged by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.experiments.pools.file import write
from ponder.experiments.pools.importing import Foreign, Options
from ponder.experiments.pools.samples import Entry, Header, Sample
from ponder.experiments.tuning import fitting, inputs
from ponder.experiments.tuning.candidates import Candidate, Outcomes, candidates, evaluate
from ponder.experiments.tuning.fitting import CEILINGS, choose, plans, split, tune, within
from ponder.experiments.tuning.inputs import Inputs
from ponder.experiments.tuning.report import to_json
from ponder.experiments.tuning.samples import read
from ponder.planning.plans import load, to_toml
from ponder.policies.value import PRIOR

KINDS: Any = {"text": PRIOR}
BOINF = {
    "problem_id": "problem_num", "gold": "gold_answer", "samples": "all_answers",
    "answer": "0", "tokens": "1",
}  # fmt: skip


def problem(name: str, answers: str, tokens: float = 10) -> Entry:
    """A problem whose gold is ``a``, with an answer for each letter (``-`` for none)."""
    samples = [
        Sample(None if a == "-" else a, a == "a", tokens=tokens, prompt_tokens=5) for a in answers
    ]
    return Entry(name, "a", "text", tuple(samples))


def pool(folder: Path, name: str, *problems: Entry, model: str = "m", **rest: Any) -> Path:
    path = folder / f"{name}.jsonl"
    write(path, Header((model,), rest), problems)
    return path


def outcome(path: Path, n: int, stop: str = "exact", unit: str = "") -> tuple[Any, Any]:
    """Accuracy and cost of each problem."""
    found = evaluate(read([path], unit)[0], KINDS, plans=[Candidate(0, n, stop)])
    return found.accuracy[:, 0].tolist(), found.cost[:, 0].tolist()


# Outcomes -----------------------------------------------------------------------------------------


def test_one_sample_is_the_mean_of_all(tmp_path: Path) -> None:
    path = pool(tmp_path, "p", problem("1", "aab-"), problem("2", "bbba", 30))
    assert outcome(path, 1) == ([0.5, 0.25], [15, 35])


@pytest.mark.parametrize(
    ("n", "stop", "used"),
    [(2, "exact", 2), (4, "exact", 3), (8, "exact", 5), (8, "lead(k=2)", 2), (8, "lead(k=3)", 3)],
)
def test_votes_that_agree_end_where_the_rule_says(
    tmp_path: Path, n: int, stop: str, used: int
) -> None:
    path = pool(tmp_path, "p", problem("1", "a" * 8), problem("2", "b" * 8))
    assert outcome(path, n, stop) == ([1, 0], [15 * used, 15 * used])


def test_a_vote_of_all_samples_goes_to_the_most_frequent_answer(tmp_path: Path) -> None:
    path = pool(tmp_path, "p", problem("1", "aaabbcc-"), problem("2", "abbbcccc"))
    assert outcome(path, 8)[0] == [1, 0]


def test_samples_without_an_answer_never_end_a_vote(tmp_path: Path) -> None:
    path = pool(tmp_path, "p", problem("1", "----"))
    assert outcome(path, 4, "lead(k=2)") == ([0], [60])


def test_the_prompt_is_computed_once_and_billed_each_time(tmp_path: Path) -> None:
    path = pool(tmp_path, "p", problem("1", "aa"), parameters=100)
    assert read([path])[1] == "flops"
    assert outcome(path, 2)[1] == [2 * 100 * (5 + 10 + 10)]
    assert outcome(path, 2, unit="tokens")[1] == [30]


@given(st.text("ab-", min_size=4, max_size=8))
def test_a_vote_costs_no_more_than_its_samples(
    tmp_path_factory: pytest.TempPathFactory, answers: str
) -> None:
    pools, _ = read([pool(tmp_path_factory.mktemp("p"), "p", problem("1", answers))])
    found = evaluate(pools, KINDS)
    for plan, right, cost in zip(found.plans, found.accuracy[0], found.cost[0], strict=True):
        assert isinstance(plan, Candidate)
        assert 15 <= cost <= 15 * plan.n
        assert 0 <= right <= 1


def test_an_order_does_not_depend_on_the_other_pools(tmp_path: Path) -> None:
    one = pool(tmp_path, "one", problem("1", "aabbccda"), problem("2", "abababab"))
    two = pool(tmp_path, "two", problem("1", "abcabcab"), problem("2", "bbbbaaaa"))
    both = evaluate(read([one, two])[0], KINDS)
    turned = evaluate(read([two, one])[0], KINDS)
    width = len(both.plans) // 2
    assert np.array_equal(both.accuracy[:, :width], turned.accuracy[:, width:])


def test_plans_have_no_more_samples_than_the_poorest_problem(tmp_path: Path) -> None:
    path = pool(tmp_path, "p", problem("1", "aaaaaaaa"), problem("2", "aaaab"))
    assert {plan.n for plan in candidates(read([path])[0])} == {1, 2, 4}


# The choice ---------------------------------------------------------------------------------------


def test_the_most_accurate_plan_within_the_ceiling_is_chosen_of_equals_the_cheaper() -> None:
    named = tuple(Candidate(0, n, "exact") for n in (1, 2, 4))
    found = Outcomes(named, np.array([[0.5, 0.7, 0.7]]), np.array([[1.0, 3.0, 2.0]]))
    assert within(found, 1) == [0]
    assert within(found, 2) == [0, 2]
    assert choose(found, [0, 1, 2]) == 2
    assert choose(found, [0, 1]) == 1


@given(st.integers(1, 60), st.floats(0.05, 0.95), st.integers(0, 5))
def test_no_problem_is_fitted_and_judged(problems: int, share: float, seed: int) -> None:
    judged = round(problems * share)
    if not 1 <= judged < problems:
        with pytest.raises(UsageError, match="cannot be split"):
            split(problems, share, seed)
        return
    fitting, judging = split(problems, share, seed)
    assert sorted([*fitting, *judging]) == list(range(problems))
    assert len(judging) == judged


def varied(folder: Path, name: str, **rest: Any) -> Path:
    answers = ["aaaaaaab", "aaabbcda", "abcdefga", "bbbbbbba", "aabbccaa", "aaaaaaaa"]
    problems = [problem(str(i), answers[i % 6]) for i in range(12)]
    return pool(folder, name, *problems, parameters=10, **rest)


def tuned(*paths: Path) -> tuple[fitting.Tuned, Inputs]:
    found = inputs.read(paths)
    return tune(found, "2026-01-02"), found


def test_what_the_judged_problems_say_has_no_part_in_the_choice(tmp_path: Path) -> None:
    before, found = tuned(varied(tmp_path, "p"))
    [own] = found.pools
    right = own.right.copy()
    judged = split(12, 0.5, 0)[1]
    right[judged] = ~right[judged]
    after = tune(replace(found, pools=(replace(own, right=right),)), "2026-01-02")
    assert [e.chosen.plan for e in after.efforts] == [e.chosen.plan for e in before.efforts]
    assert after.outlook == before.outlook
    assert [e.chosen.accuracy for e in after.efforts] != [e.chosen.accuracy for e in before.efforts]


def test_regret_is_against_the_best_plan_in_hindsight(tmp_path: Path) -> None:
    found, given = tuned(varied(tmp_path, "p"))
    assert [effort.name for effort in found.efforts] == [*CEILINGS]
    for effort in found.efforts:
        assert effort.ceiling == pytest.approx(CEILINGS[effort.name] * found.sample)
        assert effort.regret.difference >= 0
        assert effort.oracle >= effort.best.accuracy - 1e-12
        assert effort.against[effort.chosen.plan].difference == 0
        against = effort.against[effort.best.plan].difference
        assert against == pytest.approx(-effort.regret.difference)
    assert found.efforts[0].chosen.plan == Candidate(0, 1, "exact")
    told = to_json(found, given)
    assert [row["effort"] for row in told["efforts"]] == [*CEILINGS]
    assert len(told["plans"]) == len(candidates(given.pools))


def test_the_file_says_what_was_chosen(tmp_path: Path) -> None:
    sampling = {"length": 64, "temperature": 0.6, "top_p": 0.9, "stop": [], "logprobs": False}
    found, given = tuned(varied(tmp_path, "p", sampling=sampling))
    made, remarks = plans(found, given, "2026-01-02", 0)
    path = tmp_path / "plans.toml"
    path.write_text(to_toml(made, remarks), encoding="utf-8")
    back = load(path)
    assert back.efforts == made.efforts
    assert not back.models
    for effort in found.efforts:
        preset, plan = back.efforts[effort.name], effort.chosen.plan
        assert isinstance(plan, Candidate)
        assert preset.strategy == ("direct" if plan.n == 1 else "self_consistency")
        assert preset.knobs.get("n", 1) == plan.n
        assert (preset.sampling.length, preset.sampling.temperature) == (64, 0.6)
        assert (preset.budget.tokens or 0) >= plan.n * (64 + 5)
    assert (back.fit["problems"], back.fit["judged_on"]) == (6, 6)


def test_plans_of_several_models_name_them(tmp_path: Path) -> None:
    found, given = tuned(varied(tmp_path, "s"), varied(tmp_path, "l", model="big"))
    made, _ = plans(found, given, "today", 0)
    assert set(made.models.values()) <= {"m", "big"}
    assert made.models.keys() == made.efforts.keys()


def test_difficulty_is_told_by_other_samples_than_those_judged(tmp_path: Path) -> None:
    answers = ["aaaabbbb", "bbbbaaaa"]
    path = pool(tmp_path, "p", *(problem(str(i), answers[i % 2]) for i in range(12)))
    fitted = split(12, 0.5, 0)[0].tolist()
    assert {i % 2 for i in fitted} == {0, 1}
    found, _ = tuned(path)
    shown = {one.name: one.accuracy for one in found.levels if one.effort == "minimal"}
    assert shown["easy"] < shown["hard"]  # the samples that tell are right where the others fail


# Refusals -----------------------------------------------------------------------------------------


def test_pools_of_different_problems_are_refused(tmp_path: Path) -> None:
    one = pool(tmp_path, "one", problem("1", "ab"), problem("2", "ab"))
    two = pool(tmp_path, "two", problem("1", "ab"), problem("3", "ab"))
    with pytest.raises(UsageError, match=r"two.jsonl has other problems than .*, such as '2'"):
        read([one, two])


def test_samples_without_a_price_are_refused(tmp_path: Path) -> None:
    path = pool(tmp_path, "p", Entry("1", "a", "text", (Sample("a", True),)))
    with pytest.raises(UsageError, match="do not say what their samples cost"):
        read([path])
    free = pool(tmp_path, "f", Entry("1", "a", "text", (Sample("a", True, usd=0, tokens=5),)))
    assert read([free])[1] == "tokens"
    priced = pool(tmp_path, "q", problem("1", "ab"))
    with pytest.raises(UsageError, match="do not all know their usd: take --unit tokens"):
        read([priced], "usd")


def test_tokens_of_different_models_are_no_price_unless_the_caller_says_so(tmp_path: Path) -> None:
    one = pool(tmp_path, "one", problem("1", "ab"))
    two = pool(tmp_path, "two", problem("1", "ab"), model="other")
    with pytest.raises(UsageError, match="tokens of different models do not cost the same"):
        read([one, two])
    assert read([one, two], "tokens")[1] == "tokens"


def test_pools_without_grades_are_refused(tmp_path: Path) -> None:
    bare = pool(tmp_path, "p", Entry("1", None, "text", (Sample("a", tokens=1),)))
    with pytest.raises(UsageError, match="neither grades nor gold answers"):
        read([bare])
    ungraded = pool(tmp_path, "q", Entry("1", "a", "text", (Sample("a", tokens=1),)))
    with pytest.raises(UsageError, match=r"q.jsonl: 1 sample lacks 'correct'.*pool grade"):
        read([ungraded])


# On published samples -----------------------------------------------------------------------------


def test_published_samples_give_votes_that_end_early(data: Path, tmp_path: Path) -> None:
    source = data / "samples/boinf/aime2025_Qwen3-4B.jsonl"
    entries = [
        replace(e, samples=tuple(replace(s, correct=s.answer == str(e.gold)) for s in e.samples))
        for e in Foreign(source, "map", Options(BOINF, "number"))
    ]
    path = tmp_path / "aime.jsonl"
    write(path, Header(("Qwen3-4B",), {}), entries)
    found, given = tuned(path)
    assert (given.unit, given.pools[0].classes.shape) == ("tokens", (30, 80))
    by = {row.plan: row for row in found.table}
    fixed, early = by[Candidate(0, 32, "exact")], by[Candidate(0, 32, "lead(k=4)")]
    assert early.cost < 0.7 * fixed.cost
    assert abs(early.accuracy - fixed.accuracy) < 0.03

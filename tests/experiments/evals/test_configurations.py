"""Configurations: flags, grids and files say the same things, and bad ones are one sentence."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem
from ponder.core.worth import Worth
from ponder.experiments.evals.configurations import (
    Configuration,
    Wish,
    budget,
    configurations,
    of_file,
    of_flags,
    problem_seed,
)
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading.gold import Reference
from ponder.models.config import load

SIMULATED = {"model": "simulated"}


def one(**said: Any) -> Configuration:
    [found] = configurations([Wish({**SIMULATED, **said})], "s", load())
    return found


def written(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text)
    return path


def from_file(folder: Path, text: str, **flags: str) -> list[Configuration]:
    suite, wishes = of_file(written(folder, text), flags)
    return configurations(wishes, suite or "s", load())


# Identity -----------------------------------------------------------------------------------------


def test_two_ways_to_say_the_same_are_one_configuration() -> None:
    plain = one()
    assert one(effort="medium").id == plain.id
    assert one(worth=1, effort="auto").id == one(worth="1.0", effort="auto").id
    assert one(name="mine").id == plain.id
    assert one(budget={"usd": 1}).id == one(budget={"usd": "1.0"}).id
    assert one(knobs={"n": "4"}).id == one(knobs={"n": 4}).id
    assert one(strategy="best_of_n", verifier="mean_logprob").id == one(strategy="best_of_n").id


BASE = Configuration("s", "simulated", "best_of_n", "medium", {"n": 4}, Budget(tokens=900))
CHANGES: list[dict[str, Any]] = [
    {"suite": "t"},
    {"model": "simulated(accuracy=0.9)"},
    {"strategy": "self_consistency"},
    {"effort": "high"},  # other lengths
    {"knobs": {"n": 5}},
    {"knobs": {"n": 4, "temperature": 0.7}},
    {"budget": Budget(tokens=901)},
    {"budget": Budget(tokens=900, usd=1)},
    {"verifier": "lowest_group"},
    {"seed": 1},
    {"strategy": "auto"},
    {"strategy": "self_consistency", "worth": Worth(0.05)},
]


def test_whatever_changes_the_result_changes_the_id() -> None:
    ids = [BASE.id, *(replace(BASE, **change).id for change in CHANGES)]
    assert len(set(ids)) == len(ids)
    assert all(len(name) == 10 for name in ids)


def test_the_version_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = BASE.id
    monkeypatch.setattr("ponder.planning.spec.__version__", "9.9")
    assert before != BASE.id


def test_efforts_that_a_model_which_thinks_tells_apart_are_not_one() -> None:
    """Without thinking, these ask alike: the model is not known here."""
    assert one(effort="none").id != one(effort="minimal").id
    assert one(effort="auto").id != one(strategy="auto", effort="auto").id
    told = one(effort="auto").resolved()["if_it_thinks"]
    assert (told["thinking"], told["knobs"]["levels"]) == (None, "low, high")


def test_what_a_right_answer_is_worth_is_told_and_stored() -> None:
    found = one(worth="5000 tokens")
    assert found.label == "self_consistency worth=5,000 tokens stop=value"
    assert found.resolved()["worth"] == {"amount": 5000.0, "unit": "tokens"}
    assert found.id != one(worth="5001 tokens").id != one(worth="5001 flops").id
    item = Item("s/7", Problem((Message("user", "How many?"),), "number"), Reference("1", "number"))
    assert found.asked(item).worth == Worth(5000.0, "tokens")


PLANS = """
[efforts.low]
strategy = "self_consistency"
knobs = { n = 3 }

[efforts.high]
strategy = "direct"

[difficulty]
difficulty = 1
made = "today"
pools = []
[difficulty.urns]
any = [[1, 1, 0.1, 1]]
math = [[2, 1, 0.1, 1]]
"""


def test_plans_are_followed_and_told_apart_by_what_an_effort_goes_by(tmp_path: Path) -> None:
    def made(change: str = "", into: str = "", effort: str = "low") -> Configuration:
        path = tmp_path / "mine.toml"
        path.write_text(PLANS.replace(change, into))
        return one(effort=effort, plans=str(path))

    found = made()
    assert re.fullmatch(r"self_consistency plans=mine\.toml#\w{10} n=3 effort=low", found.label)
    assert found.resolved()["plans"] in found.label
    assert made("[efforts.high]", "[efforts.max]").id == found.id  # another effort's plan
    for change, into in (("n = 3", "n = 4"), ("[[2,", "[[3,")):
        other = made(change, into)
        assert (other.id == found.id, other.label == found.label) == (False, False)
    assert made(effort="medium").id != one(effort="medium").id  # the outlook is another
    item = Item("s/7", Problem((Message("user", "x?"),), "math"), Reference("1", "math"))
    outlook = found.asked(item).outlook
    assert outlook is not None
    assert outlook.urns[0].right == 2


def test_plans_of_the_configuration_hold_and_name_the_model(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[efforts.low]\nstrategy = 'direct'\nmodel = 'simulated'\n")
    config = replace(load(), plans=tmp_path / "mine.toml")
    [found] = configurations([Wish({"effort": "low"})], "s", config)
    assert (found.model, found.strategy, found.label[:6]) == ("simulated", None, "direct")
    [other] = configurations([Wish({"effort": "low", "model": "simulated(length=9)"})], "s", config)
    assert other.model == "simulated(length=9)"


def test_the_dial_is_an_axis_of_a_grid(tmp_path: Path) -> None:
    said = ["effort=auto", "worth=0.01,5000 tokens", "escalate=simulated(accuracy=0.9)"]
    found = configurations(of_flags(SIMULATED, said), "s", load())
    assert [c.worth for c in found] == [Worth(0.01), Worth(5000.0, "tokens")]
    assert all("escalate=simulated(accuracy=0.9)" in c.label for c in found)


@given(st.permutations(["n", "stop", "temperature"]))
def test_the_order_of_knobs_does_not_matter(order: list[str]) -> None:
    knobs = {"n": 3, "stop": "never", "temperature": 0.5}
    found = Configuration("s", "simulated", knobs={name: knobs[name] for name in order})
    assert found.id == Configuration("s", "simulated", knobs=knobs).id


def test_every_problem_has_a_seed_of_its_own_and_the_gold_stays_behind() -> None:
    problem = Problem((Message("user", "How many?"),), "number")
    asked = BASE.asked(Item("s/7", problem, Reference("918273645", "number")))
    assert asked.problem == problem
    assert asked.seed == problem_seed(0, "s/7")
    assert "918273645" not in json.dumps(asked.to_json())
    assert problem_seed(0, "s/7") != problem_seed(0, "s/8") != problem_seed(1, "s/8")


@given(st.integers(0, 2**31 - 1), st.text())
def test_seeds_of_problems_are_seeds(seed: int, name: str) -> None:
    assert 0 <= problem_seed(seed, name) < 2**31


def test_labels_say_what_differs_from_the_defaults() -> None:
    assert one(strategy="direct").label == "direct"
    assert one(knobs={"n": 8}).label == "self_consistency n=8"
    assert one(strategy="direct", knobs={"temperature": 0}, seed=3).label == (
        "direct temperature=0 seed=3"
    )
    assert one(effort="low", budget={"tokens": 99}).label == (
        "self_consistency n=4 effort=low budget.tokens=99"
    )
    assert one(strategy="best_of_n", verifier="lowest_group", effort="max").label == (
        "best_of_n n=32 effort=max verifier=lowest_group"
    )
    assert one(name="mine", seed=3).label == "mine"


# Grids --------------------------------------------------------------------------------------------


def test_a_grid_is_a_product() -> None:
    wishes = of_flags(SIMULATED, ["n=1,2", "seed=0, 7", "budget.tokens=900,5000,6000"])
    found = configurations(wishes, "s", load())
    assert len(found) == 12
    assert [(c.knobs["n"], c.seed, c.budget.tokens) for c in found[:4]] == [
        ("1", 0, 900), ("1", 0, 5000), ("1", 0, 6000), ("1", 7, 900),
    ]  # fmt: skip


def test_a_grid_goes_over_models_strategies_efforts_and_verifiers() -> None:
    said = ["model=simulated,simulated(length=9)", "strategy=best_of_n", "effort=low,high",
            "verifier=mean_logprob,lowest_group"]  # fmt: skip
    found = configurations(of_flags({}, said), "s", load())
    assert len(found) == 8
    assert found[0].model == "simulated"
    assert (found[-1].model, found[-1].effort) == ("simulated(length=9)", "high")


def test_commas_in_brackets_belong_to_a_value() -> None:
    both = "first(mean_logprob, product(lowest_group, mean_logprob))"
    said = [f"verifier={both},lowest_group", "strategy=best_of_n"]
    found = configurations(of_flags(SIMULATED, said), "s", load())
    assert [c.verifier for c in found] == [both, "lowest_group"]


def test_values_of_a_grid_with_commas_of_their_own() -> None:
    model = "simulated(accuracy=0.5, length=40)"
    wishes = of_flags({}, [f"model={model}, simulated"])
    assert [wish.said["model"] for wish in wishes] == [model, "simulated"]
    wishes = of_flags(SIMULATED, ['verifier="regex:a,(b)",schema'])
    assert [wish.said["verifier"] for wish in wishes] == ["regex:a,(b)", "schema"]
    within = "first(regex:a;b, schema)"  # a semicolon in brackets is the verifier's own
    wishes = of_flags(SIMULATED, [f"verifier={within},schema"])
    assert [wish.said["verifier"] for wish in wishes] == [within, "schema"]


def test_names_of_a_grid_say_where_on_it() -> None:
    found = configurations(of_flags({**SIMULATED, "name": "vote"}, ["n=1,2"]), "s", load())
    assert [c.name for c in found] == ["vote n=1", "vote n=2"]
    [alone] = configurations(of_flags({**SIMULATED, "name": "vote"}), "s", load())
    assert alone.name == "vote"


@given(
    st.lists(st.integers(1, 64), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3, unique=True),
)
def test_each_point_of_a_grid_is_what_the_flags_would_say(
    sizes: list[int], seeds: list[int]
) -> None:
    grid = [f"n={','.join(map(str, sizes))}", f"seed={','.join(map(str, seeds))}"]
    found = configurations(of_flags(SIMULATED, grid), "s", load())
    said = [
        Configuration("s", "simulated", effort=found[0].effort, knobs={"n": n}, seed=seed)
        for n in sizes
        for seed in seeds
    ]
    assert [c.id for c in found] == [c.id for c in said]


BAD_GRIDS = {
    "n": "--grid takes NAME=VALUE,VALUE",
    "n=": "--grid takes NAME=VALUE,VALUE",
    "n=1,,2": "'1,,2' cannot be read at ',2': expected a name or a value.",
    "model=simulated;gpt": "'simulated;gpt': values stand between commas, not ';'",
    "=1": "--grid takes NAME=VALUE,VALUE",
    "sede=1,2": "unknown name in --grid 'sede': did you mean 'seed'?",
    "budget.token=1": "did you mean 'budget.tokens'?",
    "n=1,x": "knob 'n' must be a whole number, not 'x'",
    "n=0": "knob 'n' must be between 1 and",
    "seed=1,b": "the seed must be a whole number, not 'b'",
    "seed=-1": "the seed must be a whole number from 0",
    "budget.tokens=10,many": "the budget's tokens must be a number, not 'many'",
    "budget.tokens=0.5": "the budget's tokens must be a whole number",
    "budget.usd=-1": "greater than zero",
    "strategy=direct,vote": "unknown strategy 'vote'",
    "model=simulated,gpt": "unknown model 'gpt'",
    "effort=lo": "unknown effort 'lo'",
    "verifier=x": "unknown verifier 'x'",
    "top_p=0.5": "",
    "n=1,1": "two configurations are the same (self_consistency n=1)",
    "batch=2": "",
    "worth=dear": "the worth of a right answer must be an amount above zero",
    "plans=nowhere.toml": "cannot read the plans nowhere.toml",
}


@pytest.mark.parametrize("text", BAD_GRIDS)
def test_a_grid_that_does_not_fit_is_one_sentence(text: str) -> None:
    given = {} if text.startswith("model") else SIMULATED
    if not BAD_GRIDS[text]:
        assert configurations(of_flags(given, [text]), "s", load())
        return
    with pytest.raises(UsageError) as refused:
        configurations(of_flags(given, [text]), "s", load())
    assert BAD_GRIDS[text] in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "grid"),
    [
        ({"knobs": {"n": "3"}}, ["n=1,2"]),
        ({"model": "simulated"}, ["model=simulated"]),
        ({"seed": 0}, ["seed=1"]),
        ({"budget": {"tokens": "5"}}, ["budget.tokens=6"]),
        ({}, ["n=1", "n=2"]),
    ],
)
def test_nothing_is_said_twice(given: dict[str, Any], grid: list[str]) -> None:
    with pytest.raises(UsageError, match=r"is given twice, in --grid and elsewhere"):
        of_flags(given, grid)


def test_budgets() -> None:
    found = budget({"tokens": "1e3", "usd": 2, "flops": "1e12"})
    assert found == Budget(tokens=1000, usd=2.0, flops=1e12)
    assert type(found.tokens) is int
    values: list[object] = ["x", None, True, [], "nan", "inf", "0"]
    for bad in values:
        with pytest.raises(UsageError, match="the budget's seconds must be"):
            budget({"seconds": bad})
    with pytest.raises(UsageError, match="unknown unit of the budget 'dollars'"):
        budget({"dollars": 1})


# Files --------------------------------------------------------------------------------------------

FILE = """
suite = "gsm8k"
model = "simulated"
seed = 3
budget = { tokens = 9000 }
knobs = { temperature = 0.6 }

[[configuration]]
name = "one"
strategy = "direct"

[[configuration]]
name = "many"
strategy = "self_consistency"
knobs = { n = 16 }
budget = { usd = 0.5 }
seed = 4
"""


def test_a_file_has_defaults_and_configurations(tmp_path: Path) -> None:
    direct, many = from_file(tmp_path, FILE)
    assert (direct.suite, direct.name, direct.strategy, direct.seed) == (
        "gsm8k", "one", "direct", 3,
    )  # fmt: skip
    assert direct.knobs == {"temperature": 0.6}
    assert many.knobs == {"temperature": 0.6, "n": 16}
    assert many.budget == Budget(tokens=9000, usd=0.5)
    assert (many.seed, many.model) == (4, "simulated")


def test_a_file_says_what_flags_say(tmp_path: Path) -> None:
    [found] = from_file(tmp_path, '[[configuration]]\nmodel = "simulated"\nknobs = { n = 5 }\n')
    assert found.id == one(knobs={"n": "5"}).id


def test_flags_hold_where_the_file_says_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, '[[configuration]]\nstrategy = "direct"\n')
    suite, wishes = of_file(path, {"model": "simulated", "effort": None, "suite": None})
    assert suite is None
    [found] = configurations(wishes, "s", load())
    assert (found.model, found.strategy) == ("simulated", "direct")
    with pytest.raises(UsageError, match=r"strategy is given twice, in .*c\.toml and by a flag"):
        of_file(path, {"strategy": "direct"})


BAD_FILES = {
    'model = "simulated"': "has no [[configuration]]",
    "configuration = []": "has no [[configuration]]",
    "configuration = 3": "has no [[configuration]]",
    "configuration = [3]": "has no [[configuration]]",
    "[[configuration]]\nmodle = 'simulated'": "configuration 1: unknown key 'modle': did you",
    "[[configuration]]\nname = 'x'\nsuite = 'gsm8k'": "configuration 'x': unknown key 'suite'",
    "sede = 3\n[[configuration]]": "unknown key 'sede': did you mean 'seed'?",
    "name = 'x'\n[[configuration]]": "unknown key 'name'",
    "suite = 3\n[[configuration]]": "suite must be a text, not 3",
    "[[configuration]]\nname = 3": "name must be a text that is not empty, not 3",
    "[[configuration]]\nstrategy = ''": "strategy must be a text that is not empty, not ''",
    "[[configuration]]\nseed = 1.5": "the seed must be a whole number from 0",
    "[[configuration]]\nseed = true": "the seed must be a whole number from 0",
    "[[configuration]]\nknobs = 3": "knobs must be a table such as",
    "[[configuration]]\nknobs = { n = [1] }": "knob 'n' must be a whole number, not [1]",
    "[[configuration]]\nknobs = { weight = [1] }": "knob 'weight' must be one of",
    "[[configuration]]\nknobs = { m = 1 }": "unknown knob 'm'",
    "[[configuration]]\nbudget = 3": "budget must be a table such as",
    "[[configuration]]\nbudget = { tokens = inf }": "must be greater than zero, and finite",
    "[[configuration]]\nbudget = { token = 3 }": "unknown unit of the budget 'token'",
    "[[configuration]]\n[[configuration]]": "two configurations are the same",
    "[[configuration]]\nname = 'x'\n[[configuration]]\nname = 'x'\nseed = 1": "have the name 'x'",
    "[[configuration]]\nworth = 0": "configuration 1: the worth of a right answer must be",
    "[[configuration]]\nworth = 1\nstrategy = 'direct'": "does not ask what a right answer",
    "[[configuration]]\nplans = 3": "plans must be a text that is not empty, not 3",
    "[[configuration]\n": "is not TOML: ",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_file_that_does_not_fit_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_file(tmp_path, text, model="simulated")
    assert BAD_FILES[text] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*gone\.toml: No such file"):
        of_file(tmp_path / "gone.toml", {})
    (tmp_path / "c.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="it is not UTF-8"):
        of_file(tmp_path / "c.toml", {})

"""Plans in a file: what is written is read again, and a fault is named with its line."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ponder
from ponder.core.budget import Budget
from ponder.core.errors import PonderError, UsageError
from ponder.core.outlook import Seen
from ponder.core.record.effects import Sampling
from ponder.core.thinking import Thinking
from ponder.models import config
from ponder.models.base import ModelInfo
from ponder.models.config import Config
from ponder.models.fakes.scripted import Scripted
from ponder.planning import climbing, difficulty, outlooks
from ponder.planning.difficulty import Graded, Tally, fit
from ponder.planning.plans import Plans, line_of, load, to_toml
from ponder.planning.plans import given as given_plans
from ponder.planning.presets import PRESETS, Preset
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec
from ponder.policies.climb import Climb

FIT = fit(
    [
        Graded("mine", "m", "number", (Tally(6, (2,)), Tally(1, (4, 3)))),
    ],
    "2026-01-02",
)
VOTE = Preset(
    "self_consistency",
    {"n": 12, "stop": "lead(k=3)"},
    Sampling(300, temperature=0.5, thinking=Thinking("low")),
    Budget(tokens=5000, usd=0.25),
)
BEST = Preset("best_of_n", {"n": 3}, Sampling(200), verifier="lowest_group")
PLANS = Plans(
    {"low": Preset("direct", {}, Sampling(200)), "high": VOTE, "medium": BEST},
    {"high": "simulated"},
    FIT,
    {"made": "2026-01-02", "pools": ["mine", 'a "quoted" \\ \x7f name'], "problems": 2},
)
GOOD = """\
plans = 1
[fit]
made = "today"
[efforts.low]
strategy = "self_consistency"
knobs = {n = 4}
sampling = {length = 300}
budget = {tokens = 4000}

[efforts.high]
strategy = "direct"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "plans.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    text = to_toml(PLANS, {"high": "a remark\nof two \x1blines"})
    read = load(written(tmp_path, text))
    assert read.efforts == PLANS.efforts
    assert (read.models, read.fit) == (PLANS.models, PLANS.fit)
    assert "# a remark of two \\x1blines\n[efforts.high]\n" in text
    assert read.difficulty is not None
    assert read.difficulty.basis == FIT.basis
    now, then = read.difficulty.outlook("number"), FIT.outlook("number")
    assert now.right(Seen((3, 1))) == pytest.approx(then.right(Seen((3, 1))), abs=1e-4)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_survives_the_file(name: str, value: str) -> None:
    sound = [text.encode("utf-8", "replace").decode() for text in (name, value)]
    text = to_toml(Plans({"low": Preset("direct")}, {"low": "m" + value}, None, {"x": [name]}))
    data = tomllib.loads(text)
    assert data["fit"]["x"] == sound[:1]
    assert data["efforts"]["low"]["model"] == "m" + sound[1]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("n = 4", "n = 0", 6, "knob 'n' must be between 1 and 4,096, not 0"),
        ("n = 4", "m = 4", 6, "unknown knob 'm'"),
        ("n = 4", 'n = 4, stop = "leed"', 6, "did you mean 'lead'?"),
        ("n = 4", 'stop = "lead", weight = "confidence"', 6, "stop=lead counts votes"),
        ("length = 300", "length = 0", 7, "knob 'length' must be between"),
        ("length = 300", "temperature = nan", 7, "knob 'temperature' must be a number"),
        ("length = 300", 'thinking = "loud"', 7, "loud"),
        ("tokens = 4000", "tokens = -1", 8, "the budget's tokens must be greater than zero"),
        ("tokens = 4000", "token = 1", 8, "did you mean 'tokens'?"),
        ("tokens = 4000", "tokens = 1" + "0" * 19, 8, "a number is out of bounds"),
        ('strategy = "self_consistency"', 'strategy = "self_consistent"', 5, "did you mean"),
        ('strategy = "self_consistency"', "strategy = 3", 5, "strategy must be a name in quotes"),
        ('strategy = "self_consistency"\n', "", 4, "has no strategy"),
        ("[efforts.high]", "[efforts.hihg]", 10, "unknown effort 'hihg': did you mean 'high'?"),
        ("[efforts.high]", "[efort.high]", 10, "unknown table of plans 'efort'"),
        ("knobs = {n = 4}", "knobs = 4", 6, "knobs must be a table"),
        ("knobs = {n = 4}", "knob = {n = 4}", 6, "did you mean 'knobs'?"),
        ("knobs = {n = 4}", "knobs = {n = 4", 6, "not valid TOML"),
        ("[efforts.high]", "[efforts.low]", 10, "not valid TOML"),
        ('made = "today"', 'made = "today', 3, "not valid TOML"),
        ("plans = 1", "plans = 2", 1, "the plans have format 2, and this Ponder reads 1"),
        ("plans = 1", 'plans = "1"', 1, "the plans have format '1'"),
        ("n = 4", 'n = "four"', 6, "knob 'n' must be a whole number, not 'four'"),
        ("n = 4", 'n = 4}\nmodel = ""#', 7, "model must be a name in quotes"),
        ("n = 4", 'n = 4}\nverifier = "mean_logprob"#', 7, "no choice of verifier"),
        ("n = 4", 'weight = "score"}\nverifier = "mean_lgprob"#', 7, "'mean_logprob'"),
        ("[efforts.high]", "[difficulty]\ndifficulty = 2\n[efforts.high]", 10, "is no fit"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence_that_names_the_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}, line {line}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_number_within_the_difficulty_is_found(tmp_path: Path) -> None:
    text = to_toml(PLANS)
    start = text.index("any = [")
    path = written(tmp_path, text[:start] + "any = [[1.0, -2.0, 3.0, 1.0]]\n")
    line = text[:start].count("\n") + 1
    with pytest.raises(UsageError, match=f"line {line}: .*urns.any must hold rows"):
        load(path)


@pytest.mark.parametrize("text", ["", "[fit]\n", "efforts = {}\n"])
def test_a_file_without_plans_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"line 1: there are no plans: .*\[efforts.medium\]"):
        load(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the plans"):
        load(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="plans must be the path of a file"):
        given_plans(3, Config())  # type: ignore[arg-type]


@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_a_damaged_file_is_plans_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "plans.toml"
    path.write_bytes(GOOD.encode()[:at] + noise + GOOD.encode()[at:])
    said = ""
    try:
        load(path)
    except PonderError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        ("[a.b]\nc = 1\n", ("a", "b", "c"), 2),
        ("[a.b]\nc = 1\n", ("a", "b", "d"), 1),
        ("\n[a]\nb.c = 1\n", ("a", "b", "c"), 3),
        ('[a."b c"]\n"d" = 1\n', ("a", "b c", "d"), 2),
        ("[a.b.c]\nd = 1\n", ("a", "b"), 1),
        ("x = 1\n[b]\n", ("a",), 1),
    ],
)
def test_the_line_of_a_key(text: str, keys: tuple[str, ...], line: int) -> None:
    assert line_of(text, keys) == line


# In use -------------------------------------------------------------------------------------------


def asked(**how: Any) -> Spec:
    return spec("What is 6 x 7?", model="m", plans=PLANS, answer_type="number", **how)


def test_a_plan_replaces_its_effort_and_no_other() -> None:
    high = asked(effort="high")
    assert (high.strategy, high.knobs["n"], high.knobs["stop"]) == (
        "self_consistency", 12, "lead(k=3)",
    )  # fmt: skip
    assert (high.sampling, high.budget) == (VOTE.sampling, VOTE.budget)
    assert asked(effort="max").knobs["n"] == PRESETS["max"].knobs["n"]
    assert asked(effort="high", knobs={"n": 3}).knobs["n"] == 3


def test_a_plan_names_its_verifier() -> None:
    assert asked().verifier == "lowest_group"
    assert asked(verifier="mean_logprob").verifier == "mean_logprob"
    other = asked(
        strategy="best_of_n", effort="high"
    )  # whose own rule of stopping it has no use for
    assert (other.verifier, other.knobs["n"]) == ("mean_logprob", 12)


def test_a_projects_plans_open_nothing_for_a_verifier(tmp_path: Path) -> None:
    judged = GOOD.replace('"direct"', '"best_of_n"\nverifier = "script(x.py, f)"')
    path = written(tmp_path, judged)
    with pytest.raises(UsageError, match=r"line 12: its verifier refers to 'script\(x.py, f\)'"):
        load(path, of_project=True)


def test_a_plan_is_used_as_written_by_a_model_that_thinks_by_itself() -> None:
    thinker = ModelInfo("thinker", frozenset({"native_thinking"}))
    low = asked(effort="low").settled(thinker)
    assert (low.strategy, low.sampling.length, low.sampling.thinking) == ("direct", 200, None)
    assert asked(effort="max").settled(thinker).sampling.thinking == Thinking("max")


def test_the_outlook_is_in_the_journal_whole() -> None:
    before = asked()
    assert before.outlook == FIT.outlook("number")
    data = json.loads(json.dumps(before.to_json()))
    again = Spec.from_json(data)
    assert again.outlook == before.outlook
    data["outlook"]["urns"][0]["right"] = 0
    with pytest.raises(UsageError, match="outlook must have urns of positive numbers"):
        Spec.from_json(data)


def test_an_answer_type_that_was_not_fitted_keeps_what_ships() -> None:
    other = spec("Which?", model="m", plans=PLANS, answer_type="text")
    assert other.outlook is None
    assert "outlook" not in other.to_json()


@pytest.mark.parametrize(
    ("knobs", "holds"),
    [
        ({}, True),
        ({"levels": "high"}, True),
        ({"levels": "off, high"}, False),
        ({"escalate": "larger"}, False),
        ({"ways": "refine(rounds=1)"}, False),
    ],
)
def test_auto_goes_by_the_outlook_of_the_plans_on_a_ladder_of_one_rung(
    knobs: dict[str, Any], holds: bool
) -> None:
    own = fit([Graded("mine", "m", "text", (Tally(6, (2,)),))], "2026-01-02")
    auto = spec(
        "Which?", model="m", plans=Plans({}, difficulty=own), answer_type="text", effort="auto",
        knobs=knobs,
    )  # fmt: skip
    climb, shipped = outlooks.outlook(auto), climbing.shipped().climb("text")
    assert isinstance(climb, Climb)
    assert climb.ladder(1).rungs == (own.outlook("text"),)
    assert climb.ladder(2) == shipped.ladder(2)
    assert outlooks.calibrated(auto, Scripted([])) is holds
    assert outlooks.calibrated(replace(auto, outlook=None), Scripted([])) is False


def test_a_run_is_resumed_with_the_outlook_that_it_began_with(tmp_path: Path) -> None:
    plans = written(tmp_path, to_toml(PLANS))
    journal = tmp_path / "runs.sqlite"
    how: dict[str, Any] = {"model": "simulated", "answer_type": "number", "journal": journal}
    first = ponder.solve(
        "What is 6 x 7?", effort="high", plans=plans, knobs={"thinking": None}, **how
    )
    assert first.confidence is not None
    plain = ponder.solve("What is 6 x 7?", effort="high", **how)
    assert plain.confidence != first.confidence
    with sqlite3.connect(journal) as rows:
        rows.execute("update runs set state = 'running', result = null where id = ?", [first.run])
    rows.close()
    plans.write_text("this is no file of plans any more")
    again = ponder.resume(str(first.run), journal=journal, trust=["simulated"])
    assert (again.answer, again.confidence) == (first.answer, first.confidence)


# From ponder.toml ---------------------------------------------------------------------------------


def test_a_projects_file_names_plans_beside_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "inner").mkdir(parents=True)
    path = written(project, GOOD)
    (project / "ponder.toml").write_text('[default]\nplans = "plans.toml"\n')
    found = config.load(project / "inner")
    assert found.plans == path
    read = given_plans(None, found)
    assert read is not None
    assert read.of_project
    assert given_plans(None, Config()) is None


def test_a_projects_plans_choose_no_model_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + 'model = "hf:some/model/file.gguf"\n')
    with pytest.raises(UsageError, match="on its word"):
        load(path, of_project=True).over(Config(), "high")
    assert load(path).over(Config(), "high").model == "hf:some/model/file.gguf"
    escalating = GOOD.replace('"direct"', '"auto"\nknobs = {escalate = "hf:a/b/c.gguf"}')
    path = written(tmp_path, escalating)
    with pytest.raises(UsageError, match=r"line 12: it names the model 'hf:a/b/c.gguf'"):
        load(path, of_project=True)
    assert load(path).efforts["high"].knobs == {"escalate": "hf:a/b/c.gguf"}


def test_a_model_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    read = load(written(tmp_path, GOOD + 'model = "nothing"\n'))
    assert read.over(Config(), "low") == Config()
    with pytest.raises(UsageError, match=r"plans.toml, line 12: .*'high' names the model 'noth"):
        read.over(Config(), "high")
    with pytest.raises(UsageError, match="'high' names the model 'nothing'"):
        ponder.solve("?", effort="high", plans=read, journal=False)
    answer = ponder.solve("?", effort="high", plans=read, model="simulated", journal=False)
    assert answer.strategy == "direct"


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    "strategy",
    [
        '"auto"\nknobs = {escalate = "nothing"}',
        '"mixture"\n[efforts.high.knobs]\nmodels = "nothing"',
    ],
)
def test_a_model_within_the_knobs_that_does_not_exist_is_refused(
    strategy: str, named: bool, tmp_path: Path
) -> None:
    text = GOOD.replace('"direct"', strategy)
    path = written(tmp_path, text)
    line = next(i for i, at in enumerate(text.splitlines(), 1) if '"nothing"' in at)
    read = load(path)
    assert read.over(Config(), "low", named=named) == Config()
    with pytest.raises(UsageError, match=rf"plans.toml, line {line}: .* names the model 'nothing'"):
        read.over(Config(), "high", named=named)


def test_an_endpoint_of_a_project_may_stand_in_the_knobs_of_a_callers_plan(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace('"direct"', '"auto"\nknobs = {escalate = "theirs"}'))
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "ponder.toml").write_text(
        '[endpoints.theirs]\nbase_url = "https://example.com/v1"\nmodel = "m"\n'
    )
    found = config.load(tmp_path / "project")
    assert not found.endpoints["theirs"].trusted
    assert load(path).over(found, "high") == found


def test_what_ships_is_no_plan_of_a_file() -> None:
    assert difficulty.shipped().outlook("number") != FIT.outlook("number")

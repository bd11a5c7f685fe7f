"""The learned verifier: what it looks at, its arithmetic, its file, and its place in a run."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import ModelTimeout, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref
from ponder.core.trace import Score, Trace
from ponder.models.base import Completion, Request
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.runner import Runner
from ponder.verifiers import registry
from ponder.verifiers.base import Facts
from ponder.verifiers.learned.features import Agreement, Seen, rows, score_names
from ponder.verifiers.learned.scorer import Scorer, Sigmoid, Steps, digest_of, load
from ponder.verifiers.learned.verifier import Learned, learned
from ponder.verifiers.naming import Arguments
from tests.support.jobs import job

SCORER = Scorer(
    ("agreement", "log_tokens", "cut", "score:mean_logprob", "missing:score:mean_logprob"),
    Agreement(0.25, 2.0),
    (0.3, 4.0, 0.1, 0.8, 0.2),
    (0.2, 0.5, 0.3, 0.1, 0.4),
    (2.0, -0.5, -0.25, 0.75, -0.1),
    -0.5,
    Sigmoid(0.9, 0.1),
    "salt",
    frozenset({digest_of("p1", "salt")}),
    {"pools": ["a.jsonl"]},
)


def of(path: Path) -> Arguments:
    return Arguments(Ref("learned", (Ref(str(path)),)))


def saved(folder: Path, scorer: Scorer = SCORER, **changes: Any) -> Path:
    path = folder / "learned.json"
    path.write_text(json.dumps({**scorer.to_json(), **changes}))
    return path


# What it looks at ---------------------------------------------------------------------------------


def test_agreement_by_hand() -> None:
    found = Agreement(0.25, 2.0).of(["a", "b", "a", None, "a"])
    assert found == [(0.5 + 2) / 6, (0.5 + 0) / 6, (0.5 + 2) / 6, None, (0.5 + 2) / 6]
    assert Agreement(0.25, 2.0).of(["a"]) == [0.25]
    assert Agreement(0.25, 2.0).of([]) == []


def test_the_mean_agreement_does_not_depend_on_how_many_samples_there_are() -> None:
    """Answers that another sample gives with probability 0.1 or 0.7, as often: 0.4 in the mean."""
    for others in range(8):
        mean = 0.0
        for p in (0.1, 0.7):
            for agreeing in range(others + 1):
                keys = ["a"] * (agreeing + 1) + [f"b{i}" for i in range(others - agreeing)]
                chance = math.comb(others, agreeing) * p**agreeing * (1 - p) ** (others - agreeing)
                mean += 0.5 * chance * (Agreement(0.4, 3.0).of(keys)[0] or 0.0)
        assert mean == pytest.approx(0.4)


def test_rows() -> None:
    samples = [Seen("a", 9, False, {"x": 0.5}), Seen("b", 0, True)]
    names = ["agreement", "log_tokens", "cut", "score:x", "missing:score:x", "missing:log_tokens"]
    assert rows(samples, names, Agreement(0.5, 1.0)) == [
        [0.25, math.log(10), 0.0, 0.5, 0.0, 0.0],
        [0.25, None, 1.0, None, 1.0, 1.0],
    ]
    assert score_names(names) == ("x",)


# Its arithmetic -----------------------------------------------------------------------------------


def test_a_probability_by_hand() -> None:
    samples = [Seen("a", 99, False, {"mean_logprob": 0.9}), Seen(None, 99), Seen("a", 0, True)]
    agrees = (0.5 + 1) / 4
    first = -0.5 + 2 * (agrees - 0.3) / 0.2 - 0.5 * (math.log(100) - 4) / 0.5
    first += -0.25 * (0 - 0.1) / 0.3 + 0.75 * (0.9 - 0.8) / 0.1 - 0.1 * (0 - 0.2) / 0.4
    last = -0.5 + 2 * (agrees - 0.3) / 0.2 - 0.25 * (1 - 0.1) / 0.3 - 0.1 * (1 - 0.2) / 0.4
    expected = [1 / (1 + math.exp(-(0.9 * f + 0.1))) for f in (first, last)]
    assert SCORER.probabilities(samples) == pytest.approx([expected[0], 0.0, expected[1]])


def test_a_beginning_is_judged_by_what_does_not_wait_for_its_end() -> None:
    samples = [Seen(None, tokens, scores={"mean_logprob": 0.9}, ended=False) for tokens in (9, 99)]
    f = -0.5 - 0.25 * (0 - 0.1) / 0.3 + 0.75 * (0.9 - 0.8) / 0.1 - 0.1 * (0 - 0.2) / 0.4
    assert SCORER.probabilities(samples) == pytest.approx(
        [1 / (1 + math.exp(-(0.9 * f + 0.1)))] * 2
    )


def test_a_sigmoid_has_no_limits() -> None:
    curve = Sigmoid(1.0, 0.0)
    assert [curve.of(x) for x in (-1e6, 0.0, 1e6)] == [0.0, 0.5, 1.0]
    assert curve.of(2.0) + curve.of(-2.0) == pytest.approx(1.0)


def test_steps_are_straight_between_knots_and_flat_beyond() -> None:
    steps = Steps((0.0, 1.0, 3.0), (0.1, 0.5, 0.9))
    assert [steps.of(x) for x in (-1, 0, 0.5, 1, 2, 3, 4)] == pytest.approx(
        [0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9]
    )
    assert Steps((0.0,), (0.4,)).of(7.0) == 0.4


# Its file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("calibration", [Sigmoid(1.5, -0.25), Steps((0.0, 1.0), (0.1, 0.9))])
def test_a_file_is_read_as_it_was_written(calibration: Any, tmp_path: Path) -> None:
    scorer = replace(SCORER, calibration=calibration)
    assert load(saved(tmp_path, scorer)) == scorer


def test_it_knows_what_it_was_trained_on() -> None:
    assert SCORER.knows("p1")
    assert not SCORER.knows("p2")
    assert "p1" not in json.dumps(SCORER.to_json()).replace("log1p", "")


BROKEN: list[tuple[Any, str]] = [
    ("", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[1]", "it has no 'ponder_learned'"),
    ('{"pool": 1}', "it has no 'ponder_learned'"),
    ({"ponder_learned": 2}, "has format 2, this Ponder reads 1: train it anew"),
    ({"features": "agreement"}, "'features' must be a list of names"),
    ({"features": ["shoe size"]}, "there is no feature 'shoe size'"),
    ({"features": ["cut"]}, "'means' must be 1 finite number"),
    ({"means": [1, 2, 3, 4, "5"]}, "'means' must be 5 finite numbers"),
    ({"means": [1, 2, 3, 4, float("nan")]}, "NaN is not JSON"),
    ({"means": [1, 2, 3, 4, 10**400]}, "a number has more than 300 digits"),
    ({"means": [1, 2, 3, 4, 1e51]}, "'means' must be 5 finite numbers"),
    ({"scales": [1, 1, 1, 1, 0]}, "'scales' must be 1e-13 or more"),
    ({"intercept": True}, "'intercept' must be 1 finite number"),
    ({"agreement": {"prior": 0.5, "strength": 0}}, "'strength' must be above zero"),
    ({"agreement": None}, "'agreement' must be an object"),
    ({"calibration": {"method": "magic"}}, "'method' must be sigmoid or isotonic"),
    ({"calibration": {"method": "isotonic"}}, "the knots' 'x' must ascend"),
    ({"calibration": {"method": "isotonic", "x": [1, 1], "y": [0, 1]}}, "'x' must ascend"),
    ({"calibration": {"method": "isotonic", "x": [0, 1], "y": [0, 2]}}, "be from 0 to 1"),
    ({"trained_on": {}}, "'trained_on' must have a salt and problems"),
]


@pytest.mark.parametrize(("content", "why"), BROKEN)
def test_a_broken_file_is_refused_in_one_sentence(content: Any, why: str, tmp_path: Path) -> None:
    if isinstance(content, str):
        path = tmp_path / "learned.json"
        path.write_text(content)
    else:
        path = saved(tmp_path, **content)
    with pytest.raises(UsageError) as refused:
        load(path)
    assert why in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(
        UsageError, match=r"cannot read the learned verifier no\.json: No such file"
    ):
        registry.find("learned:no.json")


def test_a_file_that_has_changed_is_another_verifier(tmp_path: Path) -> None:
    path = saved(tmp_path)
    name = registry.find(f"learned:{path}").name
    assert registry.find(name).name == name
    saved(tmp_path, intercept=1.0)
    with pytest.raises(UsageError, match="has changed: its digest is"):
        registry.find(name)


@pytest.mark.parametrize(
    ("feature", "why"),
    [
        ("score:pred_score", "cannot be asked for in a run: unknown verifier 'pred_score'"),
        ("score:learned:other.json", "a learned verifier asks no other learned one"),
        ("score:first(mean_logprob, learned:x)", "a learned verifier asks no other learned one"),
    ],
)
def test_a_feature_that_no_run_can_ask_for(feature: str, why: str, tmp_path: Path) -> None:
    path = saved(tmp_path, features=[feature], means=[0], scales=[1], coefficients=[1], intercept=0)
    with pytest.raises(UsageError) as refused:
        registry.find(f"learned:{path}")
    assert why in str(refused.value)


def test_it_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; sys.modules.update(numpy=None, sklearn=None, scipy=None); "
        "from ponder.verifiers.learned import scorer as file, verifier; print(file.FORMAT)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr


# In a run -----------------------------------------------------------------------------------------


@dataclass
class Asking(Facts):
    """Asks the run's model how good a trace is."""

    name: str = "asking"
    models: tuple[str, ...] = ("big",)

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        async def ask(child: Session, trace: Trace) -> Score:
            asked = Problem((Message("user", f"How good is {trace.text} ?"),))
            said = await child.grow(Trace.empty(asked), role="judge")
            return Score(float(said.text), self.name)

        found = await session.gather([partial(ask, trace=trace) for trace in traces])
        if len(found) < len(traces):
            raise ModelTimeout("the judge is gone")
        return found


CONFIDENT = replace(
    SCORER,
    features=("agreement", "score:mean_logprob"),
    means=(0.25, 0.5),
    scales=(0.25, 0.25),
    coefficients=(1.0, 1.0),
)


def solver(logprobs: Sequence[float], answers: str) -> Any:
    script = itertools.count()

    def reply(request: Request) -> Completion:
        i = next(script)
        text = f"\\boxed{{{answers[i]}}}" if answers[i] != " " else "no idea"
        return Completion(text, "stop", 6, 4, logprobs=(logprobs[i],) * 4)

    return reply


async def go(model: Any, verifier: Learned, journal: Journal | None = None, n: int = 4) -> Any:
    verifiers: dict[str, Any] = {"learned": verifier, "asking": Asking()}
    run = journal.create({}) if journal else ""
    plan = job(
        model,
        "best_of_n",
        knobs={"n": n},
        verifiers=verifiers,
        verifier="learned",
        sampling=Sampling(100, logprobs=True),
    )
    return await Runner(plan, journal=journal, run=run).go()


async def test_best_of_n_follows_agreement_and_confidence(tmp_path: Path) -> None:
    made = registry.find(f"learned:{saved(tmp_path, CONFIDENT)}")
    assert isinstance(made, Learned)
    assert (made.needs_logprobs, made.listwise, made.models, made.asks) == (True, True, (), ())
    # The single confident 7 does not beat two 5s that are nearly as confident.
    result = await go(Scripted(solver([-0.9, -0.2, -0.25, -0.1], " 557")), made)
    assert result.answer == "5"
    scores = {c.answer: c.score for c in result.candidates}
    expected = CONFIDENT.probabilities(
        [
            Seen(None),
            Seen("5", scores={"mean_logprob": math.exp(-0.2)}),
            Seen("5", scores={"mean_logprob": math.exp(-0.25)}),
            Seen("7", scores={"mean_logprob": math.exp(-0.1)}),
        ]
    )
    assert scores["5"] == pytest.approx(max(expected[1:3]))
    assert scores["7"] == pytest.approx(expected[3])
    assert expected[0] == 0.0


async def test_a_search_over_steps_goes_on_from_the_beginning_that_it_is_surest_of() -> None:
    firsts = iter([("unsure ", -2.0), ("sure ", -0.1)])

    def reply(request: Request) -> Completion:
        if request.prefix:
            return Completion(
                f"\\boxed{{{len(request.prefix)}}}", "stop", 6, 2, logprobs=(-1.0,) * 2
            )
        text, logprob = next(firsts)
        return Completion(text, "length", 6, 2, logprobs=(logprob,) * 2)

    verifier = Learned("learned", CONFIDENT, (registry.find("mean_logprob"),))
    plan = job(
        Scripted(reply),
        "beam_search",
        knobs={"width": 1, "fan": 2, "steps": "tokens", "step_tokens": 2},
        verifiers={"learned": verifier},
        verifier="learned",
        sampling=Sampling(100, logprobs=True),
    )
    assert (await Runner(plan).go()).answer == str(len("sure "))


async def test_the_other_verifiers_are_asked_through_the_session(tmp_path: Path) -> None:
    scorer = replace(CONFIDENT, features=("agreement", "score:asking"))
    made = learned(lambda name: Asking(), lambda name: False)(of(saved(tmp_path, scorer)))
    assert (made.needs_logprobs, made.models, made.asks) == (False, ("big",), ("asking",))

    def reply(request: Request) -> str:
        asked = request.messages[0].content
        if "How good" in asked:
            return "0.9" if "{2}" in asked else "0.1"
        return f"\\boxed{{{request.seed % 3}}}"

    journal = Journal(tmp_path / "runs.sqlite")
    result = await go(Scripted(reply), made, journal)
    assert result.answer == "2"
    assert {(i.role, i.calls) for i in result.receipt.items} == {("generate", 4), ("judge", 4)}
    verified = [r for r in journal.calls(result.run) if r.effect["effect"] == "verify"]
    assert [r.effect["verifier"] for r in verified] == ["asking", "learned"]
    details = [score["detail"] for score in verified[1].result]
    assert any("agreement" in d and "asking 0.9" in d for d in details)
    journal.close()


async def test_what_a_verifier_cannot_say_is_missing(tmp_path: Path) -> None:
    scorer = replace(CONFIDENT, features=("agreement", "score:asking"))
    made = learned(lambda name: Asking(), lambda name: False)(of(saved(tmp_path, scorer)))

    def reply(request: Request) -> Any:
        if "How good" in request.messages[0].content:
            return ModelTimeout("gone")
        return "\\boxed{1}"

    result = await go(Scripted(reply), made)
    [candidate] = result.candidates
    assert candidate.score == pytest.approx(scorer.probabilities([Seen("1")] * 4)[0])


def test_a_run_knows_whom_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.KINDS, "asking", registry.Kind(lambda _: Asking(), "asks"))
    scorer = replace(CONFIDENT, features=("score:asking", "score:mean_logprob"))
    name = f"learned:{saved(tmp_path, scorer)}"
    assert list(registry.known(name)) == ["mean_logprob", name, "asking"]
    both = f"first({name}, mean_logprob)"
    assert list(registry.known(both)) == ["mean_logprob", both, "asking"]

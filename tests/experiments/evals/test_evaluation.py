"""Evaluating: what is asked for, what is kept, and what is never asked for twice."""

from __future__ import annotations

import asyncio
import json
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.errors import (
    BudgetTooSmall,
    CapabilityError,
    ModelError,
    ModelTimeout,
    RequestRefused,
    RunFailed,
    UsageError,
)
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.experiments.evals import evaluation
from ponder.experiments.evals import grading as evaluation_grading
from ponder.experiments.evals.configurations import Configuration
from ponder.experiments.evals.evaluation import Evaluation, Progress, evaluate
from ponder.experiments.evals.grading import grade_outcomes
from ponder.experiments.evals.store import Outcome, Store
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading.confined import Verdict
from ponder.experiments.suites.grading.gold import Gold, HiddenTests, Reference
from ponder.experiments.suites.grading.grade import grade
from ponder.models.base import Completion, ModelInfo, Request, Shape, silent
from ponder.models.base import Progress as Growth
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.opening import Opened
from ponder.verifiers.learned.features import Agreement
from ponder.verifiers.learned.scorer import Scorer, Sigmoid, digest_of
from ponder.verifiers.registry import KINDS, Kind
from tests.support.items import WORDS, items, right
from tests.support.judging import Judge, both
from tests.support.sandboxes import needed

SECRET = "918273645"
DIRECT = Configuration("s", "m", "direct")
VOTE = Configuration("s", "m", "self_consistency", knobs={"n": 3, "stop": "never"})


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store(tmp_path / "results.sqlite", make=True)
    yield made
    made.close()


def asked(problems: int, *configurations: Configuration, **changes: Any) -> Evaluation:
    plan = Evaluation(items(problems), configurations or (DIRECT,))
    return replace(plan, **changes)


def run(plan: Evaluation, store: Store, model: Any, **more: Any) -> None:
    used = model if isinstance(model, Opened) else Opened(model)
    asyncio.run(evaluate(plan, store, models={"m": used}, **more))


def of(store: Store, configuration: Configuration = DIRECT) -> list[Outcome]:
    return store.outcomes(configuration.id)


def timeless(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [replace(outcome, seconds=0.0, run="", calls=0) for outcome in outcomes]


def graded(store: Store, plan: Evaluation, **more: Any) -> str:
    names = [configuration.id for configuration in plan.configurations]
    return asyncio.run(grade_outcomes(store, names, plan.items.values(), **more))


# What is asked for, and kept ----------------------------------------------------------------------


def test_a_program_is_a_sample_whose_output_has_the_key(store: Store) -> None:
    needed("program")
    configuration = Configuration("s", "m", "program")
    replies = iter(["no program", "```python\nprint(6 * 7)\n```"])
    run(asked(1, configuration), store, Scripted(lambda request: next(replies)))
    [outcome] = of(store, configuration)
    assert (outcome.answer, outcome.key, outcome.calls) == ("42", "q:42", 2)


def test_every_problem_is_answered_by_every_configuration(store: Store) -> None:
    model = Scripted(right)
    run(asked(3, DIRECT, VOTE), store, model)
    assert len(model.requests) == 3 * (1 + 3)
    for configuration, calls in ((DIRECT, 1), (VOTE, 3)):
        found = of(store, configuration)
        assert [o.problem_id for o in found] == ["p0", "p1", "p2"]
        assert [o.answer for o in found] == ["1", "2", "3"]
        assert [o.key for o in found] == ["q:1", "q:2", "q:3"]
        assert [(o.position, o.level, o.state, o.stopped_by) for o in found] == [
            (i, i % 3, "done", "done") for i in range(3)
        ]
        for outcome in found:
            assert outcome.calls == calls
            assert outcome.prompt_tokens == outcome.completion_tokens == calls * WORDS
            assert outcome.tokens == 2 * WORDS * calls
            assert outcome.flops == 2 * 2 * WORDS * calls  # of one parameter
            assert (outcome.correct, outcome.usd) == (None, 0.0)
    assert all(o.confidence and 0.9 < o.confidence < 1 for o in of(store, VOTE))
    assert {one.id for one in store.configurations()} == {DIRECT.id, VOTE.id}
    [one] = [one for one in store.configurations() if one.id == VOTE.id]
    assert (one.name, one.model, one.suite, one.parameters) == (VOTE.label, "m", "s", 1)
    assert one.resolved["knobs"]["n"] == 3


def test_problems_have_their_own_seeds_the_same_in_all_configurations(store: Store) -> None:
    model = Scripted(right)
    run(asked(3, DIRECT, VOTE), store, model)
    seeds: dict[str, list[int]] = {}
    for request in model.requests:
        seeds.setdefault(request.messages[0].content, []).append(request.seed)
    assert all(len(set(found)) == 3 and len(found) == 4 for found in seeds.values())
    assert len({seed for found in seeds.values() for seed in found}) == 9


def test_what_is_done_is_not_asked_again_and_the_model_not_even_opened(store: Store) -> None:
    plan = asked(3, DIRECT, VOTE)
    run(plan, store, Scripted(right))
    before = [of(store, c) for c in plan.configurations]
    asyncio.run(evaluate(plan, store))  # there is no model 'm' that could be opened
    assert [of(store, c) for c in plan.configurations] == before


def test_more_problems_are_added(store: Store) -> None:
    run(asked(2), store, Scripted(right))
    model, told = Scripted(right), list[Progress]()
    run(asked(5), store, model, tell=told.append)
    assert len(model.requests) == 3
    assert [o.problem_id for o in of(store)] == [f"p{i}" for i in range(5)]
    assert [(p.done, p.wanted, p.kept) for p in told] == [(n, 5, 2) for n in (2, 3, 4, 5)]
    assert told[-1].tokens == 3 * 2 * WORDS


def test_only_so_many_problems_are_in_flight(store: Store) -> None:
    flying: list[int] = []

    def reply(request: Request) -> str:
        flying.append(model.running)
        return right(request)

    model = Scripted(reply)
    run(asked(9, at_once=3), store, model)
    assert max(flying) == 2  # others, when the last of three begins


def test_a_new_name_replaces_the_old_one(store: Store) -> None:
    run(asked(1), store, Scripted(right))
    run(asked(1, replace(DIRECT, name="mine")), store, Scripted([]))
    run(asked(1), store, Scripted([]))
    assert [one.name for one in store.configurations()] == ["mine"]


def test_prices_and_notes_of_a_model_reach_its_runs(store: Store) -> None:
    used = Opened(Scripted(right), lambda *tokens: 10**12, ("a note",))
    run(asked(2), store, used)
    assert [o.usd for o in of(store)] == [1.0, 1.0]
    assert store.configurations()[0].priced


def test_what_a_verifier_asks_is_paid_but_no_sample(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "judge", Kind(lambda _: Judge(), "asks"))
    judged = Configuration("s", "m", "best_of_n", knobs={"n": 2}, verifier="judge")
    run(asked(1, judged), store, Scripted(both))
    [outcome] = of(store, judged)
    receipt = (store.journal().run(outcome.run).result or {})["receipt"]["total"]
    assert (outcome.calls, receipt["calls"]) == (2, 4)
    assert outcome.tokens == receipt["prompt_tokens"] + receipt["completion_tokens"]
    assert outcome.key == f"q:{outcome.answer}"


def test_a_limit_that_ends_a_run_is_said(store: Store) -> None:
    tight = replace(VOTE, budget=Budget(tokens=35))  # 10, 10, and too little
    run(asked(1, tight), store, Scripted(right))
    [outcome] = of(store, tight)
    assert (outcome.stopped_by, outcome.answer, outcome.state) == ("tokens", "1", "done")


# Runs that fail, and problems that do not fit -----------------------------------------------------


def test_a_failed_run_is_an_outcome_and_tried_again(store: Store) -> None:
    lost = ModelTimeout("too slow", prompt_tokens=5, completion_tokens=2)

    def reply(request: Request) -> str | ModelError:
        return lost if "What is 1 " in request.messages[0].content else right(request)

    run(asked(3), store, Scripted(reply))
    first, failed, third = of(store)
    assert (first.state, failed.state, third.state) == ("done", "failed", "done")
    assert failed.answer is None
    assert "too slow" in failed.why
    assert failed.tokens % 7 == 0  # what each attempt has cost
    model = Scripted(right)
    run(asked(3), store, model)
    assert len(model.requests) == 1
    again = of(store)[1]
    assert (again.state, again.answer, again.why, again.run) == ("done", "2", "", failed.run)
    assert again.tokens == failed.tokens + 2 * WORDS


def test_it_gives_up_when_the_model_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "GIVE_UP", 3)
    with pytest.raises(RunFailed, match=r"3 runs in a row failed: .*no such key"):
        run(asked(9, at_once=1), store, Scripted(lambda request: RequestRefused("no such key")))
    assert [o.state for o in of(store)] == ["failed"] * 3
    run(asked(9), store, Scripted(right))
    assert [o.state for o in of(store)] == ["done"] * 9


def test_a_problem_that_does_not_fit_is_refused_alone(store: Store) -> None:
    plan = asked(3)
    long = Problem((Message("user", "why " * 90),), "number")
    plan = replace(plan, items={**plan.items, 1: replace(plan.items[1], problem=long)})
    info = ModelInfo("m", EVERYTHING, Shape(1), context=60, local=True)
    run(plan, store, Scripted(right, info=info))
    refused = of(store)[1]
    assert (refused.state, refused.run, refused.answer) == ("refused", "", None)
    assert "the question is too long" in refused.why
    run(plan, store, Scripted(lambda request: "\\boxed{2}"))  # with all the context it needs
    assert (of(store)[1].state, of(store)[1].answer) == ("done", "2")


REFUSED: list[tuple[Configuration, type[UsageError], str]] = [
    (replace(DIRECT, budget=Budget(tokens=3)), BudgetTooSmall, "a budget of 3 tokens"),
    (replace(DIRECT, budget=Budget(usd=1)), UsageError, "a budget of dollars cannot be kept"),
    (Configuration("s", "m", "best_of_n"), CapabilityError, "needs log-probabilities"),
    (Configuration("s", "m", "mcts", knobs={"rule": "puct"}), CapabilityError, "and logprobs"),
]


@pytest.mark.parametrize(("bad", "kind", "why"), REFUSED)
def test_nothing_is_spent_before_all_configurations_are_found_possible(
    store: Store, bad: Configuration, kind: type[UsageError], why: str
) -> None:
    model = Scripted(right, info=ModelInfo("m", frozenset(), Shape(1)))
    with pytest.raises(kind, match=why):
        run(asked(2, DIRECT, bad), store, model)
    assert model.requests == []
    assert store.configurations() == []


def test_knobs_that_do_not_go_together_are_refused_before_anything_is_spent(store: Store) -> None:
    with pytest.raises(UsageError, match="stop=bayes counts votes"):
        replace(VOTE, knobs={"stop": "bayes", "weight": "confidence"})
    assert store.configurations() == []


@pytest.mark.parametrize("name", ["learned:{}", "product(mean_logprob,learned:{})"])
def test_a_verifier_is_not_measured_on_what_it_was_trained_on(
    name: str, store: Store, tmp_path: Path
) -> None:
    plan, path = asked(3), tmp_path / "learned.json"
    knows = frozenset({digest_of(plan.items[1].problem_id, "salt")})
    scorer = Scorer((), Agreement(), (), (), (), 0.0, Sigmoid(1, 0), "salt", knows)
    path.write_text(json.dumps(scorer.to_json()))
    model, picked = (
        Scripted(right),
        Configuration("s", "m", "best_of_n", verifier=name.format(path)),
    )
    with pytest.raises(UsageError, match="was trained on some of these problems"):
        run(asked(3, DIRECT, picked), store, model)
    assert model.requests == []
    run(replace(plan, items={0: plan.items[0]}, configurations=(picked,)), store, model)
    assert of(store, picked)[0].state == "done"


# Cut off, and resumed -----------------------------------------------------------------------------


class Stopping(Scripted):
    """Answers so many requests, then says that it hangs, and hangs."""

    def __init__(self, replies: int) -> None:
        super().__init__(right)
        self.left, self.hanging = replies, asyncio.Event()

    async def generate(self, request: Request, progress: Growth = silent) -> Completion:
        if self.left == 0:
            self.hanging.set()
            await asyncio.Event().wait()
        self.left -= 1
        return await super().generate(request, progress)


async def cut_off(plan: Evaluation, store: Store, replies: int) -> int:
    """How many samples came before it was cancelled."""
    model = Stopping(replies)
    going = asyncio.ensure_future(evaluate(plan, store, models={"m": Opened(model)}))
    await model.hanging.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    return len(model.requests)


@pytest.mark.parametrize("replies", range(9))
def test_what_was_cut_off_is_resumed_with_what_is_recorded(
    replies: int, store: Store, tmp_path: Path
) -> None:
    plan = asked(3, VOTE, at_once=2)
    assert asyncio.run(cut_off(plan, store, replies)) == replies
    states = {row.state for row in store.journal().runs()}
    assert states <= {"done", "interrupted"}
    model = Scripted(right)
    run(plan, store, model)
    assert len(model.requests) == 9 - replies
    other = Store(tmp_path / "other.sqlite", make=True)
    run(plan, other, Scripted(right))
    assert timeless(of(store, VOTE)) == timeless(of(other, VOTE))
    other.close()


def test_a_run_that_ended_just_before_its_outcome_was_written_is_not_run_again(
    store: Store,
) -> None:
    run(asked(3, VOTE), store, Scripted(right))
    before = of(store, VOTE)
    with sqlite3.connect(store.path) as db:
        db.execute("update outcomes set state = 'open', answer = null, key = null, calls = 0")
    db.close()
    model = Scripted([])
    run(asked(3, VOTE), store, model)
    assert model.requests == []
    assert of(store, VOTE) == before


def test_the_run_of_a_problem_is_known_before_its_first_token(store: Store) -> None:
    known: list[str] = []

    def reply(request: Request) -> str:
        known.extend(o.run for o in of(store))
        return right(request)

    run(asked(1), store, Scripted(reply))
    assert known == [row.id for row in store.journal().runs()] == [of(store)[0].run]


def test_what_is_recorded_is_the_plan_for_a_model_that_thinks(store: Store) -> None:
    """So that 'ponder runs resume' carries out the same plan."""
    thinker = Scripted(right, info=ModelInfo("m", EVERYTHING, Shape(1), local=True))
    planned = Configuration("s", "m", effort="high")
    run(asked(1, planned), store, thinker)
    [row] = store.journal().runs()
    spec = planned.asked(items(1)[0]).settled(thinker.info).to_json()
    assert spec["sampling"]["thinking"]
    assert row.spec == json.loads(json.dumps(spec))
    assert (row.result or {})["strategy"] == spec["strategy"]


def test_a_run_that_was_removed_is_begun_anew(store: Store) -> None:
    def failing(request: Request) -> ModelError:
        return RequestRefused("no")

    run(asked(1), store, Scripted(failing))
    [old] = store.journal().runs()
    store.journal().remove(old.id)
    run(asked(1), store, Scripted(right))
    assert of(store)[0].answer == "1"
    assert of(store)[0].run != old.id


def test_a_run_that_another_process_began_meanwhile_is_taken_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asyncio.run(cut_off(asked(1, VOTE), store, 2)) == 2
    known = store.run_of
    answers = iter([""])  # as if it were not begun yet
    monkeypatch.setattr(Store, "run_of", lambda self, *which: next(answers, None) or known(*which))
    model = Scripted(right)
    run(asked(1, VOTE), store, model)
    assert len(model.requests) == 1
    assert [row.id for row in store.journal().runs()] == [of(store, VOTE)[0].run]


def test_a_run_that_another_process_works_on_is_left_to_it(store: Store) -> None:
    asyncio.run(cut_off(asked(1), store, 0))
    with sqlite3.connect(store.path) as db:
        db.execute("update runs set state = 'running', worker = ?", (f"1@{platform.node()}",))
    db.close()
    model = Scripted(right)
    with pytest.raises(UsageError, match="process 1 is working on run"):
        run(asked(1), store, model)
    assert model.requests == []


# What must not have changed -----------------------------------------------------------------------


def test_another_question_of_the_same_name_is_refused(store: Store) -> None:
    plan = asked(2)
    run(plan, store, Scripted(right))
    changed = Problem((Message("user", "What is 7 + 1?"),), "number")
    plan = replace(plan, items={**plan.items, 1: replace(plan.items[1], problem=changed)})
    with pytest.raises(UsageError, match="holds another question as 'p1'"):
        run(plan, store, Scripted(right))


def test_another_file_of_the_same_model_is_refused(store: Store, tmp_path: Path) -> None:
    one, other = tmp_path / "1.gguf", tmp_path / "2.gguf"
    one.write_text("1")
    other.write_text("2")
    run(asked(1), store, Opened(Scripted(right), path=one))
    model = Scripted(right)
    with pytest.raises(UsageError, match=r"was evaluated with another file of m: name another"):
        run(asked(2), store, Opened(model, path=other))
    assert model.requests == []
    run(asked(2), store, Opened(model, path=one))
    assert len(model.requests) == 1


# Grading ------------------------------------------------------------------------------------------


def test_outcomes_are_graded_after_the_fact(store: Store) -> None:
    plan = asked(3, DIRECT, VOTE)

    def reply(request: Request) -> str:
        wrong = "What is 1 " in request.messages[0].content
        return "\\boxed{7}" if wrong else right(request)

    run(plan, store, Scripted(reply))
    told: list[tuple[int, int]] = []
    assert graded(store, plan, tell=lambda *far: told.append(far)) == ""
    for configuration in plan.configurations:
        assert [o.correct for o in of(store, configuration)] == [True, False, True]
    assert told == [(1, 3), (2, 3), (3, 3)]  # distinct answers
    told.clear()
    graded(store, plan, tell=lambda *far: told.append(far))
    assert told == []
    golds = {i: replace(item, gold=Reference("7", "number")) for i, item in plan.items.items()}
    graded(store, replace(plan, items=golds), anew=True)
    assert [o.correct for o in of(store)] == [False, True, False]


def test_no_answer_is_a_wrong_answer(store: Store) -> None:
    replies: list[str | ModelError] = ["I do not know.", RequestRefused("no")]
    plan = asked(2, at_once=1)
    run(plan, store, Scripted(replies))
    graded(store, plan)
    assert [(o.state, o.correct) for o in of(store)] == [("done", False), ("failed", False)]


def programs(golds: Sequence[Gold]) -> dict[int, Item]:
    problem = Problem((Message("user", "Write a function f."),), "code")
    return {i: Item(f"c{i}", problem, gold) for i, gold in enumerate(golds)}


async def unable(parts: Sequence[str]) -> Verdict:
    raise UsageError("nothing here can confine programs.")


async def passing(parts: Sequence[str]) -> Verdict:
    return Verdict(True, "passed", "none")


def test_where_programs_cannot_be_confined_outcomes_stay_ungraded(store: Store) -> None:
    plan = replace(asked(0), items=programs([HiddenTests("assert f()")] * 2))
    run(plan, store, Scripted(lambda request: "```python\ndef f():\n    return 1\n```"))
    assert graded(store, plan, run=unable) == "nothing here can confine programs."
    assert [o.correct for o in of(store)] == [None, None]
    assert graded(store, plan, run=passing) == ""
    assert [o.correct for o in of(store)] == [True, True]


def test_a_grading_that_was_cut_off_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = asked(4)
    run(plan, store, Scripted(right))
    seen: list[str | None] = []
    real = grade

    async def grading(gold: Gold, answer: str | None, **more: Any) -> bool:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(answer)
        return await real(gold, answer, **more)

    monkeypatch.setattr(evaluation_grading, "grade", grading)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        graded(store, plan)
    assert [o.correct for o in of(store)] == [True, True, None, None]
    monkeypatch.setattr(evaluation_grading, "grade", real)
    graded(store, plan)
    assert [o.correct for o in of(store)] == [True] * 4


def test_the_store_never_holds_the_gold(store: Store, tmp_path: Path) -> None:
    golds = [Reference(SECRET, "number"), HiddenTests(f"assert f() == {SECRET}")]
    plan = replace(asked(0), items={**programs(golds[1:]), **asked(3).items})
    plan = replace(
        plan, items={i: replace(item, gold=golds[i % 2]) for i, item in plan.items.items()}
    )
    run(plan, store, Scripted(right))
    graded(store, plan, run=passing)
    assert len(of(store)) == 3
    files = list(tmp_path.glob("results.sqlite*"))
    assert files
    assert all(SECRET.encode() not in file.read_bytes() for file in files)
    told = [json.dumps(row.spec) for row in store.journal().runs()]
    assert SECRET not in "".join(told)


def test_sampling_is_the_plans(store: Store) -> None:
    hot = replace(DIRECT, knobs={"temperature": 0.3, "length": 99})
    model = Scripted(right)
    run(asked(1, hot), store, model)
    [request] = model.requests
    drawn = Sampling(99, temperature=0.3)
    assert (request.max_tokens, request.temperature) == (drawn.length, drawn.temperature)

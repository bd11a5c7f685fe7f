"""Chains made longer, cut short, revised: golden runs on scripted models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

import ponder
from ponder.core.budget import Budget
from ponder.core.errors import (
    CapabilityError,
    MalformedReply,
    ModelTimeout,
    RunFailed,
    UnknownName,
    UsageError,
)
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.record.events import Event, Proposed
from ponder.core.trace import Score, Trace
from ponder.models.base import Completion, ModelInfo, Priced, Progress, Request, Shape, silent
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.planning.capabilities import check
from ponder.planning.plan import resolve
from ponder.planning.wishes import spec
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.verifiers.base import Facts
from tests.support.jobs import PLAIN, job


async def go(model: Scripted, strategy: str, **changes: Any) -> Result:
    return await Runner(job(model, strategy, **changes)).go()


# Budget forcing -----------------------------------------------------------------------------------


def doubter(request: Request) -> str:
    """Changes its mind once: 41, then 42 for good."""
    waits = request.prefix.count("Wait")
    return ["I say \\boxed{41}.", ", no: \\boxed{42}.", ", yes: \\boxed{42}."][waits]


@pytest.mark.parametrize(("waits", "answer"), [(0, "41"), (1, "42"), (2, "42")])
async def test_each_wait_makes_it_think_again(waits: int, answer: str) -> None:
    model = Scripted(doubter)
    result = await go(model, "budget_forcing", knobs={"waits": waits})
    assert result.answer == answer
    assert len(model.requests) == waits + 1
    prefixes = ["", "I say \\boxed{41}.\n\nWait", None]
    for request, prefix in zip(model.requests, prefixes, strict=False):
        assert prefix is None or request.prefix == prefix


async def test_the_word_is_a_knob() -> None:
    model = Scripted(["\\boxed{1}", "\\boxed{2}"])
    await go(model, "budget_forcing", knobs={"word": "Hmm"})
    assert model.requests[1].prefix == "\\boxed{1}\n\nHmm"


async def test_thinking_goes_on_until_it_has_been_long_enough() -> None:
    model = Scripted(lambda request: "one two \\boxed{3}")
    result = await go(model, "budget_forcing", knobs={"waits": 0, "least": 8})
    assert len(model.requests) == 3  # 3, 6 and 9 tokens
    assert result.answer == "3"


async def test_a_thinking_model_is_held_before_its_closing_mark() -> None:
    def thinker(request: Request) -> str:
        if "</think>" in request.prefix:
            return "\nIt is \\boxed{7}."
        return "<think>hm</think>\nrest" if not request.prefix else " more</think>\nrest"

    model = Scripted(thinker)
    result = await go(model, "budget_forcing", knobs={"waits": 2})
    assert [r.prefix for r in model.requests] == [
        "",
        "<think>\nhm\n\nWait",
        "<think>\nhm\n\nWait more\n\nWait",
        "<think>\nhm\n\nWait more\n\nWait more\n</think>\n\n",
    ]
    assert [r.stop for r in model.requests] == [("</think>",)] * 3 + [()]
    assert result.answer == "7"


async def test_a_chain_at_its_limit_is_made_to_answer() -> None:
    def endless(request: Request) -> str:
        return "9}" if "final answer" in request.prefix else "and " * 50

    model = Scripted(endless)
    result = await go(model, "budget_forcing", sampling=Sampling(10))
    assert result.answer == "9"
    assert [r.max_tokens for r in model.requests] == [10, 48]
    assert model.requests[1].prefix.endswith("Therefore, the final answer is \\boxed{")
    assert model.requests[1].temperature == 0.0


# Early exit ---------------------------------------------------------------------------------------


def settling(request: Request) -> str:
    """Believes in 1, then 2, 2, 2, ... as its chain grows."""
    if "final answer" not in request.prefix:
        return "word " * 200
    return "1}" if request.prefix.count("word") <= 8 else "2}"


async def test_it_stops_when_the_answer_has_settled() -> None:
    model = Scripted(settling)
    knobs = {"interval": 8, "probes": 3}
    result = await go(model, "early_exit", knobs=knobs)
    probes = [r for r in model.requests if "final answer" in r.prefix]
    assert len(probes) == 4  # 1, 2, 2, 2
    assert len(model.requests) == 8
    assert result.answer == "2"


async def test_without_agreement_it_goes_to_the_end() -> None:
    def fickle(request: Request) -> str:
        if "final answer" in request.prefix:
            return f"{request.prefix.count('word')}}}"
        return "word " * 200

    model = Scripted(fickle)
    knobs = {"interval": 8, "probes": 2}
    result = await go(model, "early_exit", knobs=knobs, sampling=Sampling(32))
    assert result.answer == "32"
    assert len([r for r in model.requests if "final answer" not in r.prefix]) == 4


async def test_a_chain_that_ends_by_itself_needs_no_probe() -> None:
    model = Scripted(["so \\boxed{5}"])
    assert (await go(model, "early_exit")).answer == "5"
    assert len(model.requests) == 1


# Revisions ----------------------------------------------------------------------------------------


def attempts(request: Request) -> int:
    return sum(m.role == "assistant" for m in request.messages)


@pytest.mark.parametrize(
    ("n", "chains", "seen"),
    [(6, 6, [0] * 6), (6, 1, [0, 1, 2, 2, 2, 2]), (5, 2, [0, 0, 1, 1, 2]), (2, 9, [0, 0])],
)
async def test_the_ratio_of_revisions_to_chains(n: int, chains: int, seen: list[int]) -> None:
    model = Scripted(lambda request: f"\\boxed{{{attempts(request)}}}")
    result = await go(model, "sequential_parallel", knobs={"n": n, "chains": chains})
    assert sorted(attempts(r) for r in model.requests) == seen
    assert sum(c.votes for c in result.candidates) == n


async def test_a_revision_sees_the_attempts_before_it() -> None:
    model = Scripted([f"try {i}: \\boxed{{{i}}}" for i in range(4)])
    await go(model, "sequential_parallel", knobs={"n": 4, "chains": 1, "memory": 2})
    last = model.requests[-1].messages
    assert [m.content for m in last if m.role == "assistant"] == [
        "try 1: \\boxed{1}",
        "try 2: \\boxed{2}",
    ]
    assert last[-1].role == "user"
    assert last[0] == model.requests[0].messages[0]


async def test_all_attempts_vote() -> None:
    script = ["\\boxed{1}", "\\boxed{2}", "\\boxed{2}", "\\boxed{3}"]
    result = await go(Scripted(script), "sequential_parallel", knobs={"n": 4, "chains": 2})
    assert result.answer == "2"


@dataclass
class Checker(Facts):
    """Passes 42, and says of anything else what is wrong with it."""

    tells: bool = True
    name: str = "checker"
    asked: list[str] = field(default_factory=list)

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        found = []
        for trace in traces:
            answer = trace.answer.text if trace.answer else "none"
            self.asked.append(answer)
            value = {"42": 1.0, "41": 0.5}.get(answer, 0.0)
            if self.tells:
                said = ("", "pass") if value == 1 else (f"{answer} is not it", "fail")
                found.append(Score(value, self.name, said[0], said[1]))  # type: ignore[arg-type]
            else:
                found.append(Score(value, self.name))
        return found


def checked(checker: Checker, **knobs: Any) -> dict[str, Any]:
    return {"knobs": knobs, "verifiers": {"checker": checker}, "verifier": "checker"}


async def test_attempts_are_judged_as_they_come() -> None:
    """41 was liked better than two of 40 when the budget ended; 42 cannot be beaten."""
    texts = ["\\boxed{40}", "\\boxed{41}", "\\boxed{40}", "\\boxed{42}", "\\boxed{40}"]
    asked = checked(Checker(), n=5, chains=1, pick="best")
    result = await go(Scripted(texts), "sequential_parallel", **asked)
    assert (result.answer, result.receipt.total.calls) == ("42", 4)
    whole = await go(
        Scripted(texts[:3]), "sequential_parallel", **checked(Checker(), n=3, chains=1, pick="best")
    )
    spent = whole.receipt.total
    limit = Budget(tokens=spent.prompt_tokens + spent.completion_tokens)
    plain = Scripted(texts, info=PLAIN)  # for which nothing is kept
    short = await go(plain, "sequential_parallel", budget=limit, **asked)
    assert (short.answer, short.stopped_by) == ("41", "tokens")


async def test_real_feedback_is_what_is_revised_by() -> None:
    model = Scripted(["\\boxed{40}", "\\boxed{41}", "\\boxed{42}", "\\boxed{43}"])
    checker = Checker()
    result = await go(model, "refine", **checked(checker))
    assert result.answer == "42"
    assert checker.asked == ["40", "41", "42"]
    assert "40 is not it" in model.requests[1].messages[-1].content
    assert "41 is not it" in model.requests[2].messages[-1].content
    assert {i.role for i in result.receipt.items} == {"generate"}


async def test_without_it_the_model_criticises_itself() -> None:
    script = ["\\boxed{40}", "The sum is wrong.", "\\boxed{41}", "No mistakes."]
    model = Scripted(script)
    result = await go(model, "refine", **checked(Checker(tells=False)))
    assert result.answer == "41"
    assert "The sum is wrong." in model.requests[2].messages[-1].content
    assert {i.role: i.calls for i in result.receipt.items} == {"generate": 2, "critique": 2}
    assert sum(c.votes for c in result.candidates) == 2


async def test_the_best_attempt_wins_and_not_the_last() -> None:
    model = Scripted(["\\boxed{41}", "\\boxed{1}", "\\boxed{2}"])
    result = await go(model, "refine", **checked(Checker(), rounds=3))
    assert result.answer == "41"
    assert len(model.requests) == 3


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("budget_forcing", {"waits": 3}),
        ("early_exit", {"interval": 8}),
        ("sequential_parallel", {"n": 6}),
        ("refine", {}),
    ],
)
@pytest.mark.parametrize("tokens", [8, 20, 50, 200])
async def test_budgets_are_kept(strategy: str, knobs: dict[str, Any], tokens: int) -> None:
    model = Scripted(lambda request: "some words before \\boxed{41}")
    changes = {**checked(Checker(tells=False)), "knobs": knobs}
    result = await go(model, strategy, budget=Budget(tokens=tokens), **changes)
    assert result.receipt.total.cost.tokens <= tokens


# Decomposition ------------------------------------------------------------------------------------


async def test_smaller_questions_are_answered_first_and_in_order() -> None:
    script = [
        "1. How many boxes?\n2) How many in each?\nthat is all",
        "Six.",
        "Seven.",
        "\\boxed{42}",
    ]
    model = Scripted(script)
    result = await go(model, "decompose", sampling=Sampling(90))
    assert result.answer == "42"
    contents = [r.messages[-1].content for r in model.requests]
    assert "Do not answer the question below yet" in contents[0]
    assert contents[1].endswith("Answer only this part: How many boxes?")
    assert "Already worked out:\n\nHow many boxes?\nSix.\n\n" in contents[2]
    assert "How many in each?\nSeven." in contents[3]
    assert [r.max_tokens for r in model.requests] == [
        256,
        30,
        44,
        88,
    ]  # of 90, 89 and 88 that are left
    assert {i.role: i.calls for i in result.receipt.items} == {"plan": 3, "generate": 1}


async def test_a_question_that_is_not_split_is_answered_at_once() -> None:
    model = Scripted(["I would rather not.", "\\boxed{42}"])
    result = await go(model, "decompose")
    assert result.answer == "42"
    assert model.requests[1].messages[-1].content == "What is six times seven ?"


async def test_no_more_parts_than_asked_for() -> None:
    model = Scripted(["- a\n- b\n- c", "1", "2", "\\boxed{3}"])
    await go(model, "decompose", knobs={"most": 2})
    assert len(model.requests) == 4


# Confidence ---------------------------------------------------------------------------------------


def sure(words: str, *logprobs: float) -> Completion:
    tokens = len(logprobs)
    finish: Any = "stop"
    return Completion(words, finish, 6, tokens, logprobs=logprobs, stopped_at="")


async def test_unsure_chains_are_stopped_and_have_no_vote() -> None:
    """Warm-up: 42 (surely) and 41 (a guess at its end). The threshold of the surer half is -0.1.
    Then one chain starts with a guess and is stopped, and one is sure to its end.
    """
    rest = {
        "": [
            Completion("4", "length", 6, 4, logprobs=(-3.0,) * 4),
            Completion("4", "length", 6, 4, logprobs=(-0.05,) * 4),
        ],
        "4": [sure(" so \\boxed{41}", -0.05, -0.05)],
    }
    warm = [sure("\\boxed{42}", -0.1, -0.1, -0.1, -0.1), sure("\\boxed{41}", -0.1, -0.1, -2, -2)]

    def reply(request: Request) -> Completion:
        return warm.pop(0) if warm else rest[request.prefix].pop(0)

    model = Scripted(reply)
    knobs = {"n": 4, "warmup": 2, "keep": 0.5, "window": 4}
    result = await go(model, "confident", knobs=knobs)
    assert len(model.requests) == 5
    assert all(r.logprobs for r in model.requests)
    weight = 0.35 + 0.95  # exp(-1.05) and exp(-0.05), against exp(-0.1) of 42
    assert weight > 0.91
    assert result.answer == "41"


async def test_no_more_are_drawn_when_the_warm_up_agrees() -> None:
    model = Scripted([sure("\\boxed{42}", -0.1)] * 2)
    result = await go(model, "confident", knobs={"n": 64, "warmup": 2})
    assert result.answer == "42"
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [("budget_forcing", {"waits": 2}), ("early_exit", {"interval": 8, "probes": 2})],
)
async def test_what_one_chain_says_again_is_no_second_opinion(strategy: str, knobs: Any) -> None:
    def reply(request: Request) -> str:
        return "42}" if request.prefix.endswith("{") else " so" * 9 + " \\boxed{42}"

    result = await go(Scripted(reply), strategy, knobs=knobs)
    assert (result.answer, result.confidence, result.silent) == ("42", None, 0)


# Mixtures -----------------------------------------------------------------------------------------

BIG = ModelInfo("big", EVERYTHING, Shape(7), local=True)


async def test_several_models_vote() -> None:
    big = Scripted(lambda r: "\\boxed{2}", info=BIG)
    script = iter(["\\boxed{1}", "\\boxed{2}"])
    mixed = Scripted(lambda r: next(script))
    changes = {"knobs": {"n": 2, "models": " big , big"}, "others": {"big": Priced(big)}}
    result = await go(mixed, "mixture", **changes)
    assert result.answer == "2"
    assert {(i.model, i.calls) for i in result.receipt.items} == {("scripted", 2), ("big", 2)}


async def test_several_strategies_by_several_models() -> None:
    """Each strategy by each model, but for one that is another model's alone."""
    big = Scripted(doubter, info=BIG)
    own = Scripted(doubter)
    knobs = {"n": 2, "models": "big", "strategies": "direct, budget_forcing(waits=1)@big"}
    result = await go(own, "mixture", knobs=knobs, others={"big": Priced(big)})
    assert len(own.requests) == 2
    assert len(big.requests) == 2 + 2 * 2
    assert {c.answer: c.votes for c in result.candidates} == {"41": 4, "42": 2}
    assert result.answer == "41"


async def test_what_a_member_proposes_is_not_the_runs_answer() -> None:
    """Two say 7; one proposes 41, which its verifier likes better than 40, and ends last."""
    big = Scripted(lambda r: "\\boxed{7}", info=BIG)
    events: list[Event] = []
    changes = {
        **checked(Checker(), strategies="direct@big, refine(rounds=2), direct()@big", n=1),
        "others": {"big": Priced(big)},
    }
    mixed = job(Scripted(["\\boxed{40}", "\\boxed{41}"]), "mixture", **changes)
    result = await Runner(mixed, publish=events.append).go()
    assert {c.answer for c in result.candidates} == {"7", "40", "41"}
    assert result.answer == "7"
    assert [e.trace.text for e in events if isinstance(e, Proposed)][-1] == "\\boxed{7}"


@pytest.mark.parametrize("texts", [["\\boxed{40}", "\\boxed{41}"], ["\\boxed{41}", "no idea"]])
async def test_what_a_member_has_when_it_is_ended_is_its_answer(texts: list[str]) -> None:
    """By the budget or a lost request; or it ends with nothing better."""
    whole = await go(Scripted(texts), "refine", **checked(Checker(), rounds=2))
    mixed = checked(Checker(), strategies="refine(rounds=3)", n=1)
    spent = whole.receipt.total
    limit = Budget(tokens=spent.prompt_tokens + spent.completion_tokens + 20)
    short = await go(Scripted([*texts, "\\boxed{42}"]), "mixture", budget=limit, **mixed)
    assert (short.answer, short.stopped_by) == ("41", "tokens")
    lost = await go(Scripted([*texts, MalformedReply("no reply")]), "mixture", **mixed)
    assert (lost.answer, lost.stopped_by) == ("41", "done")


class Silent(Checker):
    """Cannot be asked any more."""

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        raise ModelTimeout("the verifier's model timed out")


async def test_a_mixture_that_ends_before_it_is_judged_has_the_vote() -> None:
    texts = ["\\boxed{42}", "so it is \\boxed{7}", "\\boxed{42}"]
    asked = checked(Silent(), n=3, pick="best")
    result = await go(Scripted(texts), "mixture", **asked)
    assert (result.answer, result.stopped_by) == ("42", "lost")


async def test_an_interrupted_mixture_has_what_its_members_had_chosen() -> None:
    """41 was better than 40 and than the next attempt, at which it is interrupted."""
    model = Stops(["\\boxed{40}", "\\boxed{41}", "\\boxed{40}", "\\boxed{40}"])
    asked = job(model, "mixture", **checked(Checker(), n=1, strategies="refine(rounds=9)"))
    model.runner = Runner(asked)
    result = await model.runner.go()
    assert (result.answer, result.stopped_by) == ("41", "interrupt")


class Stops(Scripted):
    """Interrupts its run at the fourth request."""

    runner: Runner

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        if len(self.requests) == 3:
            self.runner.interrupt()
            await asyncio.Event().wait()
        return await super().generate(request, progress)


async def test_a_mixture_whose_members_are_all_lost_says_why() -> None:
    model = Scripted([MalformedReply("no reply")] * 2)
    with pytest.raises(RunFailed, match="no sample came back: no reply"):
        await go(model, "mixture", knobs={"n": 2})


@pytest.mark.parametrize(
    ("knobs", "why"),
    [
        ({"strategies": "mixture"}, "mixture cannot be part of itself"),
        ({"strategies": "dirct"}, "unknown strategy 'dirct': did you mean 'direct'"),
        ({"strategies": "direct(m=2)"}, "'direct' has no knobs of its own: leave m out"),
        ({"strategies": "refine(rounds=many)"}, "'rounds' must be a whole number"),
        ({"strategies": "refine(rounds)"}, "a strategy takes KNOB=VALUE, so 'rounds'"),
        ({"strategies": "direct@"}, "at the end: expected a model"),
        ({"strategies": "refine(rounds=2, rounds=3)"}, "expected 'rounds' once"),
        ({"strategies": "direct,confident(n=4)"}, "no chain is left to be stopped"),
        ({"strategies": 'direct,dvts(steps=at(a, ""))'}, "cannot end at an empty text"),
        ({"strategies": " "}, "needs strategies"),
        (
            {"strategies": "self_consistency(weight=confidence),best_of_n"},
            "ask different verifiers",
        ),
        ({"strategies": "direct@bg"}, "unknown model 'bg'"),
        ({"strategies": "ab_mcts(models=bg)"}, "unknown model 'bg'"),
    ],
)
async def test_members_that_cannot_be(knobs: dict[str, str], why: str) -> None:
    model = Scripted([])
    with pytest.raises(UsageError, match=why):
        await ponder.asolve("?", model=model, strategy="mixture", knobs=knobs, journal=False)
    assert model.requests == []


async def test_every_model_must_have_what_its_strategies_need() -> None:
    knobs = {"strategies": "direct,budget_forcing@simulated"}
    plain = Scripted(["\\boxed{1}"], info=ModelInfo("plain", frozenset(), Shape(7), local=True))
    asked = spec("?", model="plain", strategy="mixture", knobs=knobs)
    check(resolve(asked), plain.info, priced=True)
    with pytest.raises(CapabilityError, match="needs prefill and stop, which plain does not"):
        check(resolve(asked), plain.info, priced=True, model="simulated")
    own = {"strategies": "direct@simulated,budget_forcing"}
    with pytest.raises(CapabilityError, match="needs prefill"):
        await ponder.asolve("?", model=plain, strategy="mixture", knobs=own, journal=False)
    assert plain.requests == []


async def test_in_a_debate_each_sees_the_others_and_not_itself() -> None:
    replies = iter(["one \\boxed{1}", "two \\boxed{2}", "\\boxed{2}", "\\boxed{2}"])
    model = Scripted(lambda r: next(replies))
    result = await go(model, "mixture", knobs={"n": 2, "rounds": 1})
    assert result.answer == "2"
    first, second = (r.messages for r in model.requests[2:])
    assert first[-2].content == "one \\boxed{1}"
    assert "two \\boxed{2}" in first[-1].content
    assert "one \\boxed{1}" in second[-1].content
    assert "two" not in second[-1].content


async def test_a_model_that_is_not_there_is_refused_before_anything_is_spent() -> None:
    model = Scripted([])
    with pytest.raises(UnknownName, match="unknown model 'bg'"):
        await ponder.asolve(
            "?", model=model, strategy="mixture", knobs={"models": "bg"}, journal=False
        )
    assert model.requests == []


# Weights of models --------------------------------------------------------------------------------


def by_model(**answers: str) -> dict[str, Any]:
    """Other models that say one thing each."""
    others = {
        name: Priced(Scripted(lambda request, said=said: f"\\boxed{{{said}}}"))  # type: ignore[misc]
        for name, said in answers.items()
    }
    return {"others": others}


async def test_a_models_votes_weigh_as_much_as_it_does() -> None:
    """Of six samples it has 2.4, so 2; the others 2.1 and 1.5, so 2 each."""
    own = Scripted(lambda request: "\\boxed{1}")
    knobs = {"n": 2, "models": "big, small", "weights": "0.4, 0.35, 0.25"}
    result = await go(own, "mixture", knobs=knobs, **by_model(big="2", small="2"))
    assert result.answer == "2"  # 0.6 against 0.4
    assert len(own.requests) == 2
    knobs |= {"weights": "0.6, 0.2, 0.2"}
    assert (await go(own, "mixture", knobs=knobs, **by_model(big="2", small="2"))).answer == "1"


async def test_a_model_without_weight_is_not_asked() -> None:
    big = Scripted(lambda request: "\\boxed{2}")
    own = Scripted(lambda request: "\\boxed{1}")
    knobs = {"n": 2, "models": "big", "weights": "0, 1"}
    result = await go(own, "mixture", knobs=knobs, others={"big": Priced(big)})
    assert (result.answer, len(own.requests), len(big.requests)) == ("2", 0, 4)


async def test_equal_weights_change_nothing() -> None:
    runs = []
    for weights in ("", "1, 1", "0.5, 0.5"):
        own = Scripted(lambda request: f"\\boxed{{{request.seed % 3}}}")
        knobs = {"n": 4, "models": "big", "weights": weights}
        runs.append(await go(own, "mixture", knobs=knobs, **by_model(big="2")))
    assert runs[0].candidates == runs[1].candidates == runs[2].candidates
    assert runs[0].answer == runs[1].answer == runs[2].answer


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"weights": "1"}, r"has 1 numbers for 2 models \(the run's own, big\)"),
        ({"weights": "1, 2, 3"}, "has 3 numbers for 2 models"),
        ({"weights": "1, many"}, "must be numbers from 0 on with commas"),
        ({"weights": "1, -1"}, "must be numbers from 0 on with commas"),
        ({"weights": "0, 0"}, "not all of them 0"),
        ({"weights": "1, nan"}, "must be numbers from 0 on with commas"),
        ({"weights": "1, 2", "pick": "best"}, "use them with pick=vote"),
    ],
)
def test_weights_that_are_none_are_refused(knobs: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        job(Scripted([]), "mixture", knobs={"models": "big", **knobs})

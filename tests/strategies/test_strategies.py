"""Golden traces of direct, self_consistency and best_of_n, and what holds for all of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ponder
from ponder.core.budget import Budget
from ponder.core.errors import ModelError, RunFailed, UsageError
from ponder.core.outlook import Seen
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.record.events import Event, Proposed, SampleFinished, SampleStarted, VoteChanged
from ponder.core.trace import Score, Trace
from ponder.core.worth import Worth
from ponder.models.base import Completion, ModelInfo, Pace, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.policies.value import PRIOR
from ponder.policies.vote import Vote
from ponder.runtime.result import Result
from ponder.verifiers.base import Facts
from tests.support.jobs import PLAIN, ByText, Reply, Timed, by_order, go, trace
from tests.support.virtual import run

LOGPROBS = Sampling(100, logprobs=True)


def said(*answers: str | None) -> list[str]:
    return [f"so \\boxed{{{a}}}" if a is not None else "who knows" for a in answers]


def solve(model: Any, strategy: str, **options: Any) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    result = run(go(model, strategy, publish=events.append, **options))
    return result, events


def votes(result: Result) -> list[tuple[str | None, int]]:
    return [(c.answer, c.votes) for c in result.candidates]


class TestDirect:
    def test_one_chain_is_taken_as_it_comes(self) -> None:
        model = Scripted(said("42"))
        result, _ = solve(model, "direct")
        assert (result.answer, result.confidence, result.stopped_by) == ("42", None, "done")
        assert len(model.requests) == 1
        assert result.receipt.total.completion_tokens == 2

    def test_a_chain_without_an_answer_is_the_result_all_the_same(self) -> None:
        result, _ = solve(Scripted(said(None)), "direct")
        assert (result.answer, result.stopped_by) == (None, "done")
        assert result.trace is not None
        assert result.trace.text == "who knows"
        assert votes(result) == [(None, 0)]

    def test_a_lost_chain_fails_the_run_with_the_reason_and_the_receipt(self) -> None:
        lost = ModelError("the model fell over", prompt_tokens=6, completion_tokens=3)
        with pytest.raises(RunFailed, match="no sample came back: the model fell over") as failed:
            solve(Scripted([lost]), "direct")
        assert failed.value.receipt is not None
        [item] = failed.value.receipt.items
        assert (item.calls, item.failed, item.prompt_tokens, item.wasted_tokens) == (1, 1, 6, 3)


class TestSelfConsistency:
    def test_votes_until_no_outcome_can_change_the_winner(self) -> None:
        """Of 8, five are asked for at once; after a a b a a it takes none of the other three:
        4 > 1 + 3 is false, so one more is asked for; and a fifth a decides.
        """
        model = Scripted(said("a", "a", "b", "a", "a", "a", "c", "c"))
        result, events = solve(model, "self_consistency", knobs={"n": 8})
        assert (result.answer, result.stopped_by) == ("a", "done")
        assert votes(result) == [("a", 5), ("b", 1)]
        assert result.confidence == 5 / 6
        assert len(model.requests) == 6
        assert [e for e in events if isinstance(e, VoteChanged)] == [
            VoteChanged((("a", 1.0),), 7),
            VoteChanged((("a", 2.0),), 6),
            VoteChanged((("a", 2.0), ("b", 1.0)), 5),
            VoteChanged((("a", 3.0), ("b", 1.0)), 4),
            VoteChanged((("a", 4.0), ("b", 1.0)), 3),
            VoteChanged((("a", 5.0), ("b", 1.0)), 2),
        ]

    def test_never_asks_for_all_and_bayes_for_as_few_as_convince(self) -> None:
        script = said(*"aaaaaaaa")
        for stop, asked in [("never", 8), ("exact", 5), ("bayes", 4)]:
            model = Scripted(script)
            result, _ = solve(model, "self_consistency", knobs={"n": 8, "stop": stop})
            assert (result.answer, len(model.requests)) == ("a", asked)

    def test_bayes_looks_between_waves_only(self) -> None:
        """4: a a b a is not sure enough; 3 more, which would make 6 to 1, are a b a; 2 more for the
        leader make 7 to 2, which the last 3 cannot change.
        """
        model = Scripted(said(*"aabaabaaaaaa"))
        result, _ = solve(model, "self_consistency", knobs={"n": 12, "stop": "bayes"})
        assert result.answer == "a"
        assert len(model.requests) == 4 + 3 + 2

    @pytest.mark.parametrize(
        ("stop", "asked"),
        [("lead(k=3)", 3 + 2), ("window(size=3)", 3 + 3), ("value(price=0.01)", 2)],
    )
    def test_a_rule_is_named_with_its_options(self, stop: str, asked: int) -> None:
        """a a b is two to one: three ahead takes two more. The second window agrees. By the
        prior a sample more than one vote gains 0.02, and more than two that agree 0.002.
        """
        model = Scripted(said(*"aabaaaaaaaaa"))
        result, _ = solve(model, "self_consistency", knobs={"n": 12, "stop": stop})
        assert result.answer == "a"
        assert len(model.requests) == asked

    def test_no_more_is_asked_for_than_could_settle_the_vote_so_nothing_is_thrown_away(
        self,
    ) -> None:
        """Three of five at once. They agree at second 3, and the other two are never begun."""
        model = Timed(by_order([Reply("42", float(i), 8) for i in range(1, 6)]))

        async def main() -> None:
            result = await go(model, "self_consistency", knobs={"n": 5})
            assert asyncio.get_running_loop().time() == 3.0
            assert votes(result) == [("42", 3)]
            assert (result.receipt.total.calls, result.receipt.total.wasted_tokens) == (3, 0)

        run(main())

    def test_a_batch_is_faster_and_what_still_runs_when_it_is_settled_is_cancelled(self) -> None:
        """All five at once; three agree at second 3, so the other two are cut off there."""
        model = Timed(by_order([Reply("42", float(i), 8) for i in range(1, 6)]))

        async def main() -> None:
            result = await go(model, "self_consistency", knobs={"n": 5, "batch": 5})
            assert asyncio.get_running_loop().time() == 3.0
            assert votes(result) == [("42", 3)]
            total = result.receipt.total
            assert (total.calls, total.completion_tokens) == (5, 3 * 8)
            assert total.wasted_tokens > 0
            assert total.cost.tokens == model.tokens  # the model's own books
            assert (model.stopped, model.running) == (2, 0)

        run(main())

    def test_one_sample_is_its_own_winner(self) -> None:
        model = Scripted(said("a"))
        result, _ = solve(model, "self_consistency", knobs={"n": 1})
        assert (result.answer, result.confidence, len(model.requests)) == ("a", None, 1)

    def test_no_answers_at_all_give_the_chain_that_was_asked_for_first(self) -> None:
        model = Timed(by_order([Reply(None, 2.0), Reply(None, 1.0), Reply(None, 3.0)]))
        result = run(go(model, "self_consistency", knobs={"n": 3}))
        assert (result.answer, result.confidence, result.stopped_by) == (None, None, "done")
        assert result.trace is not None
        assert result.trace.id == "0.0.0"
        assert len(model.asked) == 3

    def test_all_lost_fails_with_the_last_reason(self) -> None:
        script = [ModelError(f"reason {i}") for i in range(4)]
        model = Scripted(script)
        with pytest.raises(RunFailed, match=r"no sample came back: reason 3$") as failed:
            solve(model, "self_consistency", knobs={"n": 4})
        assert failed.value.receipt is not None
        assert failed.value.receipt.total.failed == 4

    @pytest.mark.parametrize("bad", range(8))
    def test_one_lost_in_eight_costs_one_vote(self, bad: int) -> None:
        script: list[Any] = said(*"aaabbbcc")
        script[bad] = ModelError("lost")
        result, _ = solve(Scripted(script), "self_consistency", knobs={"n": 8, "stop": "never"})
        expected = [a for i, a in enumerate("aaabbbcc") if i != bad]
        assert dict(votes(result)) == {a: expected.count(a) for a in "abc"}
        assert result.answer == ("b" if bad < 3 else "a")
        assert result.receipt.total.failed == 1

    def test_confidence_weighs_by_mean_token_probability(self) -> None:
        """Two unsure votes against a sure one: 2 exp(-1) < exp(-0.1)."""
        replies = [Reply("a", logprob=-1.0), Reply("a", logprob=-1.0), Reply("b", logprob=-0.1)]
        knobs = {"n": 3, "stop": "never"}
        by_votes, _ = solve(Timed(by_order(replies)), "self_consistency", knobs=knobs)
        by_confidence, _ = solve(
            Timed(by_order(replies)),
            "self_consistency",
            knobs=knobs | {"weight": "confidence"},
            sampling=LOGPROBS,
        )
        assert (by_votes.answer, by_confidence.answer) == ("a", "b")

    def test_score_weighs_by_the_runs_verifier_and_abstentions_weigh_nothing(self) -> None:
        replies = [Reply("a"), Reply("a"), Reply("b"), Reply("c"), Reply("c"), Reply("c")]
        result, _ = solve(
            Timed(by_order(replies)),
            "self_consistency",
            knobs={"n": 6, "stop": "never", "weight": "score"},
            verifiers={"by_text": ByText({"a": 0.25, "b": 0.75})},
            verifier="by_text",
        )
        assert result.answer == "b"
        assert {c.answer: c.score for c in result.candidates} == {"a": 0.25, "b": 0.75, "c": None}

    @pytest.mark.parametrize("weight", ["confidence", "score"])
    def test_bayes_counts_heads_and_refuses_weights(self, weight: str) -> None:
        model = Scripted(said("a"))
        with pytest.raises(UsageError, match="stop=bayes counts votes"):
            solve(model, "self_consistency", knobs={"stop": "bayes", "weight": weight})
        assert model.requests == []


answers = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=9)


@settings(deadline=None, max_examples=70)
@given(answers, st.data())
def test_exact_elects_whom_all_would_have_elected_whatever_arrives_first(
    script: list[str | None], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(script))))
    vote = Vote()
    for i, answer in enumerate(script):
        vote.add(trace(i, answer))
    standings = vote.standings()
    winner = standings[0].answer.text if standings else None
    asked = []
    for stop in ("exact", "never"):
        model = Timed(by_order([Reply(a, 1.0 + s) for a, s in zip(script, order, strict=True)]))
        result, events = solve(model, "self_consistency", knobs={"n": len(script), "stop": stop})
        assert (result.answer, result.stopped_by) == (winner, "done")
        assert result.receipt.total.calls == len(model.asked)
        asked.append(len(model.asked))
        last = [e.trace for e in events if isinstance(e, Proposed)][-1:]
        assert last == ([result.trace] if standings else [])
        assert result.receipt.total.wasted_tokens == 0
    assert asked[0] <= asked[1] == len(script)
    if len(set(script)) == 1 and script[0] is not None:
        assert asked[0] == len(script) // 2 + 1


def test_exact_and_never_agree_on_every_script_of_five_votes_for_two_answers() -> None:
    for script in itertools.product("ab", repeat=5):
        winners = {
            solve(Scripted(said(*script)), "self_consistency", knobs={"n": 5, "stop": stop})[
                0
            ].answer
            for stop in ("exact", "never")
        }
        assert winners == {"a" if script.count("a") > 2 else "b"}


@dataclass(frozen=True)
class ByLength(Facts):
    """Weighs a trace by its tokens: an eighth for each after the first."""

    name: str = "by_length"

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        return [Score((t.tokens - 1) / 8, self.name) for t in traces]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 8)), min_size=1, max_size=8
    ),
    st.data(),
)
def test_exact_is_exact_with_weights_too(
    script: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(script))))
    vote, counts = Vote(), Vote()
    for i, (answer, eighths) in enumerate(script):
        vote.add(trace(i, answer), eighths / 8)
        counts.add(trace(i, answer))
    standings = vote.standings()
    if standings and not standings[0].weight:  # where nobody's vote weighs anything, each has one
        standings = counts.standings()
    for stop in ("exact", "never"):
        replies = [Reply(a, 1.0 + s, 1 + e) for (a, e), s in zip(script, order, strict=True)]
        result, _ = solve(
            Timed(by_order(replies)),
            "self_consistency",
            knobs={"n": len(script), "stop": stop, "weight": "score"},
            verifiers={"by_length": ByLength()},
            verifier="by_length",
        )
        assert result.answer == (standings[0].answer.text if standings else None)


class TestBestOfN:
    def options(self, known: dict[str, float], **knobs: Any) -> dict[str, Any]:
        return {
            "knobs": knobs,
            "verifiers": {"by_text": ByText(known)},
            "verifier": "by_text",
        }

    def test_the_verifier_picks(self) -> None:
        model = Scripted(said(*"aab"))
        result, events = solve(model, "best_of_n", **self.options({"a": 0.3, "b": 0.5}, n=3))
        assert (result.answer, len(model.requests)) == ("b", 3)
        assert result.confidence == 1 / 3
        assert [(c.answer, c.votes, c.score) for c in result.candidates] == [
            ("a", 2, 0.3),
            ("b", 1, 0.5),
        ]
        proposed = [e.trace.id for e in events if isinstance(e, Proposed)]
        assert proposed[-1] == "0.2.0"

    def test_weighted_sums_the_scores_of_equal_answers(self) -> None:
        known = {"a": 0.3, "b": 0.5}
        best, _ = solve(Scripted(said(*"aab")), "best_of_n", **self.options(known, n=3))
        weighted, _ = solve(
            Scripted(said(*"aab")), "best_of_n", **self.options(known, n=3, pick="weighted")
        )
        assert (best.answer, weighted.answer) == ("b", "a")

    @pytest.mark.parametrize("pick", ["best", "weighted"])
    def test_an_abstention_loses_to_any_score_and_where_all_abstain_the_vote_decides(
        self, pick: str
    ) -> None:
        some, _ = solve(
            Scripted(said(*"aab")), "best_of_n", **self.options({"b": 0.01}, n=3, pick=pick)
        )
        none, _ = solve(Scripted(said(*"abb")), "best_of_n", **self.options({}, n=3, pick=pick))
        assert (some.answer, none.answer) == ("b", "b")

    @pytest.mark.parametrize("pick", ["best", "weighted"])
    def test_a_chain_without_an_answer_comes_last_however_well_it_scores(self, pick: str) -> None:
        script = said(None, "a", None)
        result, _ = solve(
            Scripted(script), "best_of_n", **self.options({"": 1.0, "a": 0.0}, n=3, pick=pick)
        )
        assert result.answer == "a"
        only, _ = solve(
            Scripted(said(None, None)), "best_of_n", **self.options({"": 1.0}, n=2, pick=pick)
        )
        assert (only.answer, only.stopped_by) == (None, "done")

    @pytest.mark.parametrize(
        ("pick", "answer", "stopped"), [("best", "b", 1), ("weighted", "c", 0)]
    )
    def test_it_ends_when_nothing_can_be_better_and_what_was_asked_for_before_has_come(
        self, pick: str, answer: str, stopped: int
    ) -> None:
        replies = [Reply("a", 3), Reply("b", 2), Reply("c", 1), Reply("c", 9)]
        model, known = Timed(by_order(replies)), {"a": 0.5, "b": 1.0, "c": 1.0}
        result, _ = solve(model, "best_of_n", **self.options(known, n=4, pick=pick))
        assert (result.answer, result.stopped_by) == (answer, "done")
        assert model.stopped == stopped

    def test_all_lost_fails(self) -> None:
        with pytest.raises(RunFailed, match="no sample came back: reason 1"):
            solve(
                Scripted([ModelError("reason 0"), ModelError("reason 1")]),
                "best_of_n",
                **self.options({}, n=2),
            )

    def test_one_lost_is_left_out(self) -> None:
        script: list[Any] = [*said("a"), ModelError("lost"), *said("b")]
        result, _ = solve(Scripted(script), "best_of_n", **self.options({"b": 1.0, "a": 0.5}, n=3))
        assert (result.answer, result.receipt.total.failed) == ("b", 1)


@settings(deadline=None, max_examples=70)
@given(
    strategy=st.sampled_from(["best", "weighted", "votes"]),
    script=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(1, 40)),
        min_size=1,
        max_size=7,
    ),
    budget=st.one_of(
        st.integers(22, 300).map(lambda n: Budget(tokens=n)),
        st.integers(1, 64).map(lambda n: Budget(seconds=n / 4)),
    ),
)
def test_with_every_budget_the_answer_is_the_best_of_what_was_delivered(
    strategy: str, script: list[tuple[str | None, int]], budget: Budget
) -> None:
    known = {"a": 0.25, "b": 0.5, "c": 0.375}
    knobs: dict[str, Any] = {"n": len(script)}
    knobs |= {"stop": "never"} if strategy == "votes" else {"pick": strategy}
    model = Timed(by_order([Reply(a, t / 8, t) for a, t in script]), info=PLAIN)
    events: list[Event] = []
    result = run(
        go(
            model,
            "self_consistency" if strategy == "votes" else "best_of_n",
            knobs=knobs,
            budget=budget,
            verifiers={"by_text": ByText(known)},
            verifier="by_text",
            publish=events.append,
        )
    )
    delivered = [e.trace for e in events if isinstance(e, SampleFinished)]
    answered = sorted((t for t in delivered if t.answer), key=lambda t: t.order)
    if not answered:
        assert result.answer is None
        return
    texts = [t.answer.text for t in answered if t.answer]
    weight = {
        "best": lambda a: known[a],
        "weighted": lambda a: texts.count(a) * known[a],
        "votes": lambda a: texts.count(a),
    }[strategy]
    assert result.answer == max(texts, key=weight)  # the first of equals, as asked for


def test_a_vote_that_ends_within_its_budget_is_done() -> None:
    model = Scripted([Completion("so \\boxed{a}", "stop", 6, 2)] * 8)
    result, _ = solve(model, "self_consistency", knobs={"n": 8}, budget=Budget(tokens=5 * 106))
    assert (result.answer, result.stopped_by) == ("a", "done")


def test_a_contested_vote_asks_for_all_that_is_nearly_free_at_once() -> None:
    info = ModelInfo("here", EVERYTHING, Shape(1), local=True, pace=Pace(0.01, 0.1))
    sizes = []
    for economical in (info, replace(info, pace=Pace(0.01, 1.0))):
        model = Scripted(["\\boxed{1}", *["\\boxed{2}"] * 3, *["\\boxed{1}"] * 4], info=economical)
        waves: list[int] = []

        def note(event: Event, waves: list[int] = waves) -> None:
            if isinstance(event, SampleStarted):
                waves.append(int(event.path.split(".")[0]))

        run(go(model, "self_consistency", publish=note, knobs={"n": 8}))
        sizes.append([waves.count(wave) for wave in dict.fromkeys(waves)])
    assert sizes == [[5, 3], [5, 2, 1]]


@pytest.mark.parametrize(("short_of", "forced"), [(-1, 0), (1, 1)])
def test_a_truncated_chain_gives_a_vote_where_that_is_worth_its_price(
    short_of: int, forced: int
) -> None:
    def reply(request: Request) -> Completion:
        if request.prefix:
            return Completion("2}", "stop", 7, 2)
        return next(chains)

    one = Completion("\\boxed{1}", "stop", 7, 10)
    chains = iter([one, *[Completion("so", "length", 7, 100)] * 2])
    model = Scripted(reply)
    leads = Seen((1,))
    gain = (PRIOR.after(leads, 2) - PRIOR.right(leads)) / 2  # of a vote
    most = 7 + 100 + 48  # tokens of the prompt, the chain and the answer
    worth = Worth((most + short_of) / gain, "tokens")
    knobs = {"n": 3, "stop": "value"}
    result = run(go(model, "self_consistency", knobs=knobs, worth=worth))
    continued = [bool(request.prefix) for request in model.requests]
    assert continued[:3] == [False, False, *[True] * forced]
    assert result.silent == 1 - forced


@pytest.mark.parametrize("worth", ["2000 tokens", "1000000 tokens"])
def test_a_vote_by_worth_looks_at_one_sample_before_it_knows_their_price(worth: str) -> None:
    events: list[Event] = []
    ponder.solve(
        "What is 6 x 7?",
        model="simulated(accuracy=0.6)",
        strategy="self_consistency",
        knobs={"n": 16},
        worth=worth,
        journal=False,
        on_event=events.append,
    )
    begun = list(itertools.takewhile(lambda e: not isinstance(e, SampleFinished), events))
    assert sum(isinstance(event, SampleStarted) for event in begun) == 1

"""What strategies make of what is lost, tied, abstained, unfinished, or at the end of its room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import ponder
from ponder.answers.reading import Reader
from ponder.core.budget import Budget
from ponder.core.errors import BudgetTooSmall, ModelTimeout, RequestRefused, RunFailed
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.trace import Score, Trace
from ponder.models.base import Completion, ModelInfo, Progress, Request, Shape, silent
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.declaring import RUN, STEPS
from ponder.strategies.registry import STRATEGIES, choose
from ponder.verifiers.registry import find
from tests.support.jobs import job
from tests.support.searching import VALUES, ByPath, Tree, path_of
from tests.support.virtual import run

Value = Callable[[str], float | None]


def solved(model: Any, strategy: str, value: Value = lambda path: 0.5, **changes: Any) -> Result:
    verifier = changes.pop("by", None) or ByPath(value)
    fields = {"verifiers": {verifier.name: verifier}, "verifier": verifier.name, **changes}
    return asyncio.run(Runner(job(model, strategy, **fields)).go())


def question(text: str, kind: Any) -> Problem:
    return Problem((Message("user", text),), kind)


# Lost ---------------------------------------------------------------------------------------------


def test_a_beginning_whose_lookahead_is_lost_is_left_out() -> None:
    tree, looked = Tree(), []

    def reply(request: Request) -> Any:
        if request.temperature == 0.0:
            looked.append(request)
            if len(looked) == 2:
                return ModelTimeout("lost")
        return tree(request)

    knobs = {"width": 2, "fan": 2, "lookahead": 1}
    result = solved(Scripted(reply), "beam_search", VALUES.get, knobs=knobs)
    assert result.answer is not None
    assert result.receipt.total.failed == 1


@pytest.mark.parametrize("tokens", range(12, 200, 7))
def test_a_budget_may_end_a_lookahead(tokens: int) -> None:
    knobs = {"width": 2, "fan": 2, "lookahead": 1}
    result = solved(
        Scripted(Tree()),
        "beam_search",
        VALUES.get,
        knobs=knobs,
        budget=Budget(tokens=tokens),
        sampling=Sampling(4),
    )
    assert result.receipt.total.cost.tokens <= tokens


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("refine", {"rounds": 3}),
        ("budget_forcing", {"waits": 5}),
        ("verify_and_backtrack", {"most": 6, "threshold": 0.95}),
    ],
)
def test_what_cannot_go_on_without_a_lost_request_returns_the_best_so_far(
    strategy: str, knobs: dict[str, Any]
) -> None:
    model = Scripted(lambda r: ModelTimeout("gone") if len(model.requests) == 4 else "\\boxed{42}")
    result = solved(model, strategy, knobs=knobs)
    assert (result.answer, result.stopped_by) == ("42", "lost")
    assert result.lost == "1 sample was lost (gone)."
    assert len(model.requests) == 4


def test_without_an_answer_a_lost_request_fails_the_run_and_says_what_was_spent() -> None:
    model = Scripted(lambda r: "well " if len(model.requests) == 1 else ModelTimeout("gone"))
    with pytest.raises(RunFailed, match="gone") as failed:
        solved(model, "refine", knobs={"rounds": 3})
    assert failed.value.receipt is not None
    assert failed.value.receipt.total.calls == 2


def test_a_lost_probe_is_passed_over() -> None:
    def reply(request: Request) -> Any:
        if "final answer" in request.prefix:
            probes.append(request)
            return ModelTimeout("lost") if len(probes) == 2 else "1}"
        return "w " * 100

    probes: list[Request] = []
    result = solved(Scripted(reply), "early_exit", knobs={"interval": 8, "probes": 3})
    assert (result.answer, result.stopped_by, len(probes)) == ("1", "done", 4)


# Unfinished ---------------------------------------------------------------------------------------

LOOSE = "Let us find the answer: first we take 12 boxes.\n\nEach has 5.\n\nThus \\boxed{60}"
BLOCKS = "First {}:\n\n```json\n[1]\n```\n\nso [2]"


@pytest.mark.parametrize(
    ("text", "kind", "strategy", "knobs", "answer"),
    [
        (LOOSE, "number", "beam_search", {"width": 1, "fan": 1}, "60"),
        ("We think.\n\nAnswer: Dr. Smith", "text", "dvts", {"steps": "sentence"}, "Dr. Smith"),
        ("a b c d e f Answer: New York", "text", "early_exit", {"interval": 8}, "New York"),
        (BLOCKS, "json", "beam_search", {"width": 1, "fan": 1}, "[1]"),  # not {}
        ("So \\boxed{1}\n\nor \\boxed{2}", "number", "beam_search", {"width": 1, "fan": 1}, "1"),
    ],
)
def test_a_step_ends_a_chain_by_a_closed_mark_alone(
    text: str, kind: str, strategy: str, knobs: dict[str, Any], answer: str
) -> None:
    model = Scripted(lambda r: "x}" if r.prefix.endswith("{") else text[len(r.prefix) :])
    result = solved(model, strategy, knobs=knobs, read=Reader().read, problem=question("?", kind))
    assert result.answer == answer


def test_a_premature_answer_does_not_win_a_tree() -> None:
    def reply(request: Request) -> str:
        if request.prefix:
            return "y \\boxed{good}"
        return "x \\boxed{bad}" if len(model.requests) % 2 else "y\n\n"

    model, values = Scripted(reply), {"x": 0.01, "y": 0.95, "yy": 0.9}
    assert solved(model, "dvts", values.get, knobs={"trees": 1, "fan": 2}).answer == "good"


# Monte Carlo tree search --------------------------------------------------------------------------


@pytest.mark.parametrize("expansions", [4, 16])
def test_visits_count_ends_too(expansions: int) -> None:
    """A chain that ends at once with 0.9, beside a long one that is worth little."""

    def reply(request: Request) -> str:
        if not request.prefix:
            return "g \\boxed{good}" if len(model.requests) % 2 else "p\n\n"
        return "p\n\n" if len(request.prefix) < 60 else "p \\boxed{poor}"

    model = Scripted(reply)
    knobs = {"fan": 2, "expansions": expansions}
    result = solved(model, "mcts", lambda p: 0.9 if p[0] == "g" else 0.05, knobs=knobs)
    assert result.answer == "good"


@pytest.mark.parametrize("fan", [1, 4])
def test_what_may_be_widened_is_not_closed(fan: int) -> None:
    model = Scripted(lambda r: "b \\boxed{1}" if r.prefix else "a\n\n")
    knobs = {"fan": fan, "expansions": 16, "alpha": 0.5, "choose": "value"}
    solved(model, "mcts", knobs=knobs)
    assert len(model.requests) == 16 * fan


def test_puct_asks_for_what_its_prior_is_made_of() -> None:
    model = Scripted(lambda r: "a\n\n" if r.stop else "\\boxed{1}")
    solved(model, "mcts", knobs={"rule": "puct", "fan": 2, "expansions": 2})
    assert {r.logprobs for r in model.requests if r.stop} == {True}
    solved(plain := Scripted(lambda r: "\\boxed{1}"), "mcts", knobs={"fan": 2, "expansions": 2})
    assert {r.logprobs for r in plain.requests} == {False}


def test_a_rollout_keeps_the_runs_length_and_is_not_drawn_twice() -> None:
    model = Scripted(lambda r: "w " * 30 + "\n\n" if r.stop else "w " * 500)
    knobs = {"fan": 1, "expansions": 2, "rollout": True}
    result = solved(model, "mcts", knobs=knobs, sampling=Sampling(100))
    rollouts = [r for r in model.requests if not r.stop and "final answer" not in r.prefix]
    assert [r.max_tokens for r in rollouts] == [69, 38]
    assert result.trace is not None


# Ties and abstentions -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0.0])
def test_of_equal_attempts_the_last_is_kept(value: float | None) -> None:
    model = Scripted(lambda r: f"\\boxed{{{len(model.requests)}}}")
    result = solved(model, "refine", lambda path: value, knobs={"rounds": 3})
    assert result.answer == str(len(model.requests))


def test_a_vote_in_which_all_abstain_counts() -> None:
    model = Scripted(lambda r: "\\boxed{b}" if len(model.requests) > 1 else "\\boxed{a}")
    knobs = {"n": 5, "weight": "score"}
    assert solved(model, "self_consistency", lambda path: None, knobs=knobs).answer == "b"


@pytest.mark.parametrize("search", ["bfs", "dfs"])
def test_a_beginning_that_nobody_valued_is_gone_on_with(search: str) -> None:
    def reply(request: Request) -> str:
        if "Can this beginning" in request.messages[-1].content:
            return "Well, I"
        return "a\n\n" if request.prefix.count("\n\n") < 2 else "a \\boxed{7}"

    result = solved(Scripted(reply), "tree_of_thoughts", knobs={"search": search, "votes": 1})
    assert result.answer == "7"


def test_a_tree_of_thoughts_that_may_not_go_on_concludes_from_its_best() -> None:
    knobs = {"value": "verifier", "width": 3, "fan": 3, "expansions": 1}
    values = {"a": 0.2, "b": 0.9, "c": 0.1}
    result = solved(Scripted(Tree(3)), "tree_of_thoughts", values.get, knobs=knobs)
    assert result.trace is not None
    assert result.trace.text.startswith("b")


def test_a_tree_of_thoughts_expands_no_more_than_it_may() -> None:
    model = Scripted(lambda r: "1}" if "final" in r.prefix else f"a{len(model.requests)}\n\n")
    knobs = {"value": "verifier", "width": 8, "fan": 2, "expansions": 9}
    solved(model, "tree_of_thoughts", knobs=knobs)
    assert sum(bool(r.stop) for r in model.requests) == 9 * 2


# Verifiers that compare ---------------------------------------------------------------------------


@dataclass
class Relative(ByPath):
    """The share of the others that a chain beats: 1 says the best of those asked about."""

    listwise: bool = True

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        self.seen += [path_of(trace) for trace in traces]
        values = [self.value(path_of(trace)) or 0.0 for trace in traces]
        most = max(1, len(values) - 1)
        return [Score(sum(x > y for y in values) / most, self.name) for x in values]


def test_the_best_of_those_beside_it_may_still_be_beaten() -> None:
    def reply(request: Request) -> str:
        if request.prefix:
            return f"{request.prefix[0]} \\boxed{{{request.prefix[0]}}}"
        return ["x \\boxed{x}", "y\n\n", "z\n\n"][(len(model.requests) - 1) % 3]

    model, verifier = Scripted(reply), Relative({"x": 0.6, "y": 0.3, "yy": 0.9}.get)
    solved(model, "beam_search", by=verifier, knobs={"width": 3, "fan": 1})
    assert "yy" in verifier.seen


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("mcts", {"expansions": 1, "fan": 3, "choose": "value"}),
        ("ab_mcts", {"n": 3, "batch": 3}),
        ("particle_filter", {"n": 3, "pick": "best"}),
        ("refine", {"rounds": 3}),
    ],
)
def test_what_is_there_together_is_judged_together(strategy: str, knobs: dict[str, Any]) -> None:
    texts = ["a \\boxed{1}", "c \\boxed{3}", "b \\boxed{2}"]

    def reply(request: Request) -> str:
        if "Check this attempt" in request.messages[-1].content:
            return "wrong"
        made.append(request)
        return texts[len(made) - 1]

    made: list[Request] = []
    verifier = Relative({"a": 0.1, "b": 0.2, "c": 0.3}.get)
    assert solved(Scripted(reply), strategy, by=verifier, knobs=knobs).answer == "3"


# What is asked of whom ----------------------------------------------------------------------------


@dataclass
class Asked(ByPath):
    """Notes the last message of the problems that it is asked about."""

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        self.seen += [trace.problem.messages[-1].content for trace in traces]
        return [Score(self.value(path_of(trace)), self.name) for trace in traces]


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("refine", {"rounds": 3}),
        ("ab_mcts", {"n": 6}),
        ("sequential_parallel", {"n": 4, "chains": 2, "pick": "best"}),
        ("mixture", {"n": 2, "rounds": 1, "pick": "best", "strategies": "refine,direct"}),
        ("mixture", {"n": 2, "pick": "best", "strategies": "decompose,direct"}),
        ("aggregate", {"n": 2, "pick": "best", "mode": "pick"}),
    ],
)
def test_a_verifier_is_asked_about_the_question_itself(strategy: str, knobs: Any) -> None:
    verifier = Asked(lambda path: 0.5)
    solved(Scripted(lambda r: "\\boxed{1}"), strategy, by=verifier, knobs=knobs)
    assert set(verifier.seen) == {"What is six times seven ?"}


@pytest.mark.parametrize("name", ["refine", "best_of_n", "ab_mcts", "mixture"])
def test_an_attempt_without_an_answer_hides_no_answer(name: str) -> None:
    """Whatever the budget: if a chain has come to an answer, there is one."""
    judge = find("judge")
    knobs: dict[str, Any] = {"rounds": 2} if name == "refine" else {"n": 2}
    if name == "mixture":
        knobs = {"n": 1, "strategies": "refine(rounds=2), direct"}
    for tokens in range(100, 1000, 20):
        first = iter(["no idea at all"])

        def reply(request: Request, first: Any = first) -> str:
            if "Grade" in request.messages[0].content:
                return "3"
            if "Check this" in request.messages[-1].content:
                return "wrong"
            return next(first, "so \\boxed{42}")

        budget = Budget(tokens=tokens)
        result = solved(Scripted(reply), name, by=judge, knobs=knobs, budget=budget)
        assert (result.answer is not None) == any(c.answer for c in result.candidates), tokens


STEPPING: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name, strategy in STRATEGIES.items() if strategy.needs == STEPS),
    ("mcts", {"rollout": True}),
    ("mcts", {"expansions": 1, "fan": 2, "steps": "tokens", "step_tokens": 16}),
    ("verify_and_backtrack", {"threshold": 1, "most": 2, "steps": "tokens", "step_tokens": 16}),
    ("mixture", {"strategies": "beam_search,dvts", "n": 1}),
]


@pytest.mark.parametrize("judge", [None, "judge"])
@pytest.mark.parametrize(("name", "knobs"), STEPPING)
def test_whatever_the_budget_a_search_comes_to_an_answer(
    name: str, knobs: dict[str, Any], judge: str | None
) -> None:
    """From the least that is not refused; what judges and values cost leaves room for it, too."""
    if judge and choose(name, knobs).verifier != RUN:
        judge = None
    asked: dict[str, Any] = {"strategy": name, "knobs": knobs, "verifier": judge, "journal": False}
    question, model = "How many is six times seven?", "simulated(accuracy=0.6,length=200)"
    with pytest.raises(BudgetTooSmall, match="needs at least 39 tokens"):
        ponder.solve(question, model=model, budget=Budget(tokens=38), **asked)
    for tokens in range(39, 600, 41):
        result = ponder.solve(question, model=model, budget=Budget(tokens=tokens), **asked)
        assert result.answer is not None, tokens
        assert result.receipt.total.cost.tokens <= tokens


# The end of the room ------------------------------------------------------------------------------


class Narrow(Scripted):
    """A model that refuses a prompt which leaves no room in its context."""

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        prompt = self.prompt_bound(request.messages, request.prefix)
        if prompt + request.max_tokens > self.info.context:
            raise RequestRefused("the prompt has too many tokens")
        if "final answer" in request.prefix:
            return Completion("7}", "stop", prompt, 1, stopped_at="")
        count = min(5, request.max_tokens)
        return Completion(
            " word" * count, "stop", prompt, count, stopped_at="\n\n", logprobs=(-0.1,) * count
        )


@pytest.mark.parametrize(
    "strategy", ["beam_search", "dvts", "particle_filter", "mcts", "tree_of_thoughts"]
)
def test_a_chain_that_fills_the_context_is_made_to_answer(strategy: str) -> None:
    info = ModelInfo("narrow", EVERYTHING, Shape(1), context=200, local=True)
    result = solved(Narrow([], info=info), strategy, sampling=Sampling(1000))
    assert (result.answer, result.receipt.total.failed) == ("7", 0)


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("beam_search", {"width": 2, "fan": 2}),
        ("dvts", {"trees": 2, "fan": 2}),
        ("particle_filter", {"n": 4}),
        ("mcts", {"fan": 2}),
        ("tree_of_thoughts", {"value": "verifier"}),
        ("early_exit", {"interval": 8, "probes": 60}),
    ],
)
def test_a_budget_that_ends_a_search_leaves_enough_to_answer(
    strategy: str, knobs: dict[str, Any]
) -> None:
    """Chains that never answer by themselves; the best one is made to."""
    for tokens in range(150, 1000, 50):
        steps = iter(range(10**6))

        def reply(request: Request, steps: Any = steps) -> str:
            text = "ab"[next(steps) % 2] + " w" * 8 + "\n\n"
            return f"{request.prefix[0]}}}" if "final answer" in request.prefix else text

        model = Scripted(reply)
        budget = Budget(tokens=tokens)
        result = solved(
            model,
            strategy,
            lambda path: {"a": 0.2, "b": 0.9}.get(path[:1]),
            knobs=knobs,
            budget=budget,
            sampling=Sampling(100),
        )
        assert result.answer is not None, tokens
        assert result.receipt.total.cost.tokens <= tokens


def test_what_is_left_goes_to_the_chain_that_was_liked_best() -> None:
    def reply(request: Request) -> str:
        if "final answer" in request.prefix:
            return f"{request.prefix[0]}}}"
        return "ab"[len(model.requests) % 2] + " w" * 8 + "\n\n"

    model = Scripted(reply)
    values = {"a": 0.2, "b": 0.9}
    result = solved(
        model,
        "beam_search",
        lambda path: values[path[0]],
        knobs={"width": 2, "fan": 1},
        budget=Budget(tokens=150),
    )
    assert (result.answer, result.stopped_by) == ("b", "tokens")


def test_a_model_with_nothing_more_to_say_is_not_asked_for_ever() -> None:
    model = Scripted(lambda r: "7}" if r.prefix.endswith("{") else "" if r.prefix else "w w")
    result = solved(model, "budget_forcing", knobs={"waits": 0, "least": 50})
    assert (result.answer, len(model.requests)) == ("7", 3)


def test_late_attempts_are_judged_in_the_order_in_which_they_were_asked_for() -> None:
    from tests.support.jobs import Reply, Timed

    slow = iter([Reply("1", 9), Reply("2", 1), Reply("3", 1), Reply("4", 9)])
    verifier = ByPath(lambda path: 0.5)
    seen: list[str] = []

    async def score(problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        seen.extend(trace.id for trace in traces)
        return [Score(0.5, "by_path") for _ in traces]

    verifier.score = score  # type: ignore[method-assign]
    fields: dict[str, Any] = {"verifiers": {"by_path": verifier}, "verifier": "by_path"}
    knobs = {"n": 4, "chains": 2, "pick": "best"}
    asked = job(Timed(lambda r: next(slow)), "sequential_parallel", knobs=knobs, **fields)
    run(Runner(asked).go())
    assert seen == sorted(seen)

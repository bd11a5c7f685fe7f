"""Problems, traces and errors: what is refused, what is compared, what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ponder.core.errors import (
    LimitReached,
    MissingExtra,
    ModelError,
    PonderError,
    UnknownName,
    UsageError,
)
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Generate, Sampling, Steer, Verify, digest
from ponder.core.trace import Trace
from tests.support.jobs import PROBLEM, trace


@pytest.mark.parametrize("messages", [(), (Message("system", "hi"),), (Message("user", " \n"),)])
def test_a_problem_without_a_question_is_refused(messages: tuple[Message, ...]) -> None:
    with pytest.raises(UsageError, match="the question is empty"):
        Problem(messages)


def test_an_unknown_answer_type_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown answer type 'numbr': did you mean 'number'"):
        Problem((Message("user", "?"),), "numbr")  # type: ignore[arg-type]


def test_a_name_that_resembles_nothing_lists_what_there_is() -> None:
    error = UnknownName("knob", "zzz", ["weight", "n"])
    assert str(error) == "unknown knob 'zzz': expected one of: n, weight."
    assert (error.kind, error.name) == ("knob", "zzz")


def test_errors_say_one_sentence_and_carry_what_they_know() -> None:
    assert str(MissingExtra("local", "the model")) == (
        "the model needs the extra 'local': pip install 'ponder[local]'."
    )
    assert str(LimitReached("usd")) == "the budget's limit on usd was reached"
    lost = ModelError("no", prompt_tokens=3, completion_tokens=4)
    assert (lost.prompt_tokens, lost.completion_tokens) == (3, 4)
    assert not issubclass(ModelError, UsageError)
    assert issubclass(LimitReached, PonderError)


def test_a_record_of_a_turn_is_told_only_where_there_is_one() -> None:
    plain, kept = Message("assistant", "42"), Message("assistant", "42", "[1]")
    assert repr(plain) == "Message(role='assistant', content='42')"
    assert repr(kept) == "Message(role='assistant', content='42', blocks='[1]')"
    problem = Problem((Message("user", "?"), plain, kept, Message("user", "?")))
    assert [*map(list, problem.describe()["messages"])] == [
        ["role", "content"],
        ["role", "content"],
        ["role", "content", "blocks"],
        ["role", "content"],
    ]
    assert len({plain, kept, Message("assistant", "42", "[2]")}) == 3


def test_a_conversation_goes_on_after_a_trace_with_its_record() -> None:
    said = replace(trace(0), text=" 42.\n", blocks="[1]")
    assert said.message == Message("assistant", "42.", "[1]")
    assert replace(said, text=" ").message.content == "(nothing)"
    assert said.forked("s0", "43.").message == Message("assistant", "43.")


def test_traces_sort_as_they_were_asked_for() -> None:
    ids = ["0.10.0", "0.9.0", "", "1", "0.9.0.1", "10", "2"]
    ordered = sorted((trace(i) for i in ids), key=lambda t: t.order)
    assert [t.id for t in ordered] == ["", "0.9.0", "0.9.0.1", "0.10.0", "1", "2", "10"]


def test_a_trace_is_done_once_it_has_a_reason_to_end() -> None:
    assert not Trace.empty(PROBLEM).done
    assert trace(0, finish="length").done


CHANGES: list[dict[str, Any]] = [
    {"start": trace("4.2")},
    {"start": Trace.empty(Problem((Message("user", "Another question"),)))},
    {"seed": 2},
    {"role": "judge"},
    {"sampling": Sampling(length=1)},
    {"sampling": Sampling(temperature=0.1)},
    {"sampling": Sampling(top_p=0.1)},
    {"sampling": Sampling(stop=("x",))},
    {"sampling": Sampling(logprobs=True)},
    {"sampling": Sampling(top_logprobs=5)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: ",".join(c))
def test_the_journal_sees_every_difference_between_two_requests(change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"start": Trace.empty(PROBLEM), "sampling": Sampling(), "seed": 1}
    assert Generate(**fields).describe() == Generate(**fields).describe()
    assert Generate(**fields).describe() != Generate(**fields | change).describe()


def test_what_is_not_asked_for_is_as_it_was_before_there_was_a_word_for_it() -> None:
    assert "top_logprobs" not in Sampling().describe()
    assert Sampling(top_logprobs=5).describe()["top_logprobs"] == 5


def test_the_journal_tells_verifiers_and_traces_apart() -> None:
    effects: list[Verify | Steer] = [
        Verify((trace(0),), "a"),
        Verify((trace(0),), "b"),
        Verify((trace(1),), "a"),
        Verify((trace(0), trace(1)), "a"),
        Verify((trace(1), trace(0)), "a"),
        Steer((trace(0),)),
        Steer((trace(1),)),
    ]
    descriptions = [repr(effect.describe()) for effect in effects]
    assert len(set(descriptions)) == len(effects)


def test_the_fingerprint_of_a_problem_is_the_same_in_every_process() -> None:
    assert digest(PROBLEM) == "2cf86623725b7c29"

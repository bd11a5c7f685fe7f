"""Rows of data as questions: what is seen, and what is refused."""

from __future__ import annotations

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import Message
from ponder.planning.questions import Question, question


def test_what_a_row_says() -> None:
    assert question({"question": "How?", "gold": "7"}, "here") == Question("How?")
    row = {"question": "Which?", "choices": ["a", "b"], "answer_type": "choice", "answer": "a"}
    assert question(row, "here") == Question("Which?", "choice", ("a", "b"))
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How?"}]
    messages = Message("system", "Be brief."), Message("user", "How?")
    assert question({"messages": chat}, "here") == Question(messages)
    assert question({"question": "How?", "choices": None, "answer_type": None}, "").choices == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"problem": "How?"}, "expected a field 'question'.*fields problem"),
        ({}, "none"),
        ({"question": "a", "messages": []}, "one of them"),
        ({"question": " "}, "not empty"),
        ({"question": 7}, "must be a text"),
        ({"messages": []}, "'messages' must be"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "'messages' must be"),
        ({"messages": ["a"]}, "'messages' must be"),
        ({"messages": [{"role": ["user"], "content": "a"}]}, "'messages' must be"),
        ({"question": "a", "choices": "a,b"}, "list of texts"),
        ({"question": "a", "choices": [1, 2]}, "list of texts"),
        ({"question": "a", "answer_type": 3}, "'answer_type' must be"),
    ],
)
def test_a_row_that_is_no_question_is_refused(row: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=f"^line 3: .*{reason}"):
        question(row, "line 3")

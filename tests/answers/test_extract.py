from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.equivalence import quick_key
from ponder.answers.extract import extract, instruction
from ponder.answers.reading import Reader
from ponder.core.problem import ANSWER_TYPES, AnswerType, Message, Problem


def problem(answer_type: AnswerType, choices: tuple[str, ...] = (), schema: str = "") -> Problem:
    return Problem((Message("user", "?"),), answer_type, choices=choices, schema=schema)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (r"So \boxed{72}.", "72"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{1} then \boxed{2", "1"),
        (r"\boxed{7} then \boxed{ }", "7"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\fbox{5}", "5"),
        (r"{{{ \boxed{72 \text{ clips}}", r"72 \text{ clips}"),
        ("The answer is 72.", "72"),
        ("The answer is **72** clips. It took 2 months.", "72 clips"),
        ("The answer is: $1,234.50.", "$1,234.50"),
        ("The answer is 48 + 24 = 72.", "72"),
        ("The answer is about 72, not 80.", "72"),
        ("**Final Answer:** 72", "72"),
        ("**Answer**: 72 dollars", "72 dollars"),
        ("Answer: 5\nAnswer: 6", "6"),
        ("The answer is clear. We get 7", "7"),
        ("9 * 2 = $<<9*2=18>>18\n#### 18", "18"),
        ("#### Step 2: add 5\nso we get 8", "8"),
        ("She made $72", "$72"),
        ("It is -5 and then −6", "−6"),
        ("It rose by 72%.", "72%"),
        ("a range of 10-12", "12"),
        ("that is 3/4 of it", "3/4"),
        (r"that is \frac{3}{4} of it", r"\frac{3}{4}"),
        ("about .5 of it", ".5"),
        ("1.5e3 of them", "1.5e3"),
        ("<think>\\boxed{1} 2</think> So 3", "3"),
        ("<think>\\boxed{1}</think>", None),
        ("<think>first 5, then 6", None),
        ("no digits at all, version x2", None),
        ("", None),
    ],
)
def test_number(reply: str, answer: str | None) -> None:
    assert extract(reply, problem("number")) == answer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("3 + 4 makes 7, and then", None),
        (r"so \boxed{7}. Let me check: 3 + ", "7"),
        ("The answer is 7. Let me check: 3 + ", "7"),
    ],
)
def test_a_number_amid_unfinished_reasoning_is_no_answer(reply: str, answer: str | None) -> None:
    assert extract(reply, problem("number"), truncated=True) == answer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x \right\}}", r"\left\{ x \right\}"),
        (r"The answer is $\frac{1}{2}$. Done.", r"\frac{1}{2}"),
        ("The final answer is:\n\\[\nx = 5\n\\]\nDone.", "x = 5"),
        ("The answer is x = 3. Done.", "x = 3"),
        ("The answer is $18 per day.", "$18 per day"),
        (r"$\frac{1}{2}$", r"$\frac{1}{2}$"),
        ("x = 3", "x = 3"),
        ("I think it is 3", None),
    ],
)
def test_math(reply: str, answer: str | None) -> None:
    assert extract(reply, problem("math")) == answer


@pytest.mark.parametrize(
    ("choices", "reply", "answer"),
    [
        ("ABCD", r"\boxed{B}", "B"),
        ("ABCD", r"\boxed{\text{(B)}}", r"\text{(B)}"),
        ("ABCD", r"\boxed{B. Paris}", "B"),
        ("ABCD", "Answer: (B)", "(B)"),
        ("ABCD", "the answer is **b**.", "b"),
        ("ABCD", "the answer is a lot like option C", "C"),
        ("ABCD", "(A) is wrong. A good one is B. A man agrees.", "B"),
        ("ABCD", "So option A is right", "A"),
        ("ABCD", "E", None),
        ("ABCD", "none of them", None),
        ("", "I think that it is E", "E"),
        ("", "Answer: e", "e"),
        (("yes", "no"), "Is it? YES, surely", "YES"),
        (("yes", "no"), "nobody knows", None),
        (("True", "False"), r"\boxed{\text{false}}", r"\text{false}"),
        (("not valid", "valid"), "The argument is not valid", "not valid"),
        (("(A)", "(B)"), "a choice: (B) it is", "B"),
    ],
)
def test_choice(choices: str | tuple[str, ...], reply: str, answer: str | None) -> None:
    assert extract(reply, problem("choice", tuple(choices))) == answer


def test_a_letter_amid_unfinished_reasoning_is_no_choice() -> None:
    asked = problem("choice", ("A", "B"))
    assert extract("Option A may", asked, truncated=True) is None
    assert extract("Answer: A\nFor it may", asked, truncated=True) == "A"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (r"\boxed{Paris}", "Paris"),
        ("It is Lyon.\nFinal answer: **Paris**\nBye", "Paris"),
        ("Answer:\nParis", "Paris"),
        ("The answer is clear. Paris.", "The answer is clear. Paris."),
        ("  Paris  ", "Paris"),
        (" ", None),
    ],
)
def test_text(reply: str, answer: str | None) -> None:
    assert extract(reply, problem("text")) == answer


SIZE = 50_000
"""Characters of a hostile reply."""
SCHEMA = '{"type": "object", "required": ["a"]}'


@pytest.mark.parametrize(
    ("schema", "reply", "answer"),
    [
        ("", '```json\n{"a": 1}\n```', '{"a": 1}'),
        ("", "```\n[1]\n```\nor\n```json\n[2]\n```", "[2]"),
        ("", 'It is {"a": "}{"} indeed', '{"a": "}{"}'),
        ("", 'a 5" pipe {note: {"a": [1]} is it', '{"a": [1]}'),
        ("", "42", "42"),
        ("", '{"a": NaN}', None),
        ("", '{"a": 1', None),
        ("", "none", None),
        (SCHEMA, '{"a": 1} but not {"b": 1}', '{"a": 1}'),
        (SCHEMA, '{"b": {"a": 1}}', '{"a": 1}'),
        (SCHEMA, "[1]", None),
        ("", '{"a": 1e400}', '{"a": 1e400}'),
        ("", "9" * 5_000, None),
        ("", "[" * 100_000 + "]" * 100_000, None),
    ],
)
async def test_json(schema: str, reply: str, answer: str | None) -> None:
    found = await Reader().read(reply, problem("json", schema=schema), False)
    assert (found.text if found else None) == answer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Here:\n```python\nx = 1\n```\nbye", "x = 1"),
        ("```python\nx = 1\n```\nprints\n```\n1\n```", "x = 1"),
        ("```\nx = 1\n```\n```\nx = 2\n```", "x = 2"),
        ("```bash\nls\n```", None),
        ("```python\nx = 1", "x = 1"),
        ("def f():\n    return 1", "def f():\n    return 1"),
        ("print('\\d')", "print('\\d')"),
        ("Sure", None),
        ("This is prose.", None),
    ],
)
def test_code(reply: str, answer: str | None) -> None:
    assert extract(reply, problem("code")) == answer


def test_a_block_that_was_cut_off_is_no_program() -> None:
    reply = "```python\nx = 1\n```\nbetter:\n```python\nx ="
    assert extract(reply, problem("code"), truncated=True) == "x = 1"


FRAGMENTS = st.sampled_from(
    [
        r"\boxed{", "}", "{", "[", "]", '"', "\\", "$", "**", "```", "```python\n", "\n", " ", "=",
        "answer is ", "Answer: ", "#### ", "<think>", "</think>", "1,234", ".5", "-", "/", r"\frac",
        "A", "(B)", "x", "%", "e9", "é", "\ud800", "\x00", "٣", "½",
    ]
)  # fmt: skip
REPLIES = st.one_of(st.text(), st.lists(FRAGMENTS, max_size=40).map("".join))


@given(REPLIES, st.sampled_from(ANSWER_TYPES), st.booleans())
def test_no_reply_breaks_extraction(reply: str, kind: AnswerType, truncated: bool) -> None:
    answer = extract(reply, problem(kind), truncated=truncated)
    if answer is not None:
        assert answer == answer.strip() != ""
        assert answer.replace("*", "") in reply.replace("*", "")
        quick_key(answer, kind)


@given(REPLIES)
def test_the_key_survives_a_second_extraction(reply: str) -> None:
    asked = problem("number")
    answer = extract(reply, asked)
    key = quick_key(answer, "number") if answer is not None else None
    if answer is not None and key is not None and key.startswith("q:"):
        again = extract(rf"\boxed{{{answer}}}", asked)
        assert again is not None
        assert quick_key(again, "number") == key


@pytest.mark.parametrize("kind", ANSWER_TYPES)
@pytest.mark.parametrize(
    "piece",
    [
        "{", "[", "[{", "}", r"\boxed{", r"\boxed{1}", "answer is ", "answer:", "answer is\n", " ",
        "#### ", '"', '["', '\\"', "1,111", "1", "1/", "-", "$", "```\n", "```", "A ", "<think>",
        "a=", ".", "((", r"\frac{1}{", "\n ", "``` ", "answer", r"\boxed ", "=1", "é", "**",
    ],
)  # fmt: skip
def test_a_long_hostile_reply_is_read_to_its_end(kind: AnswerType, piece: str) -> None:
    # Work that grows with the square of the length would take hours for these.
    asked, reply = problem(kind), piece * (SIZE // len(piece))
    for text in (reply, f"```{reply}`", f"A{reply}B", rf"\boxed{{A{reply}B}}"):
        found = extract(text, asked)
        assert found is None or found == found.strip()
        quick_key(found or text, kind)


@pytest.mark.parametrize("kind", ANSWER_TYPES)
def test_the_instruction_names_what_extraction_looks_for(kind: AnswerType) -> None:
    asked = problem(kind, choices=("A", "B"), schema=SCHEMA)
    expected = {"text": "'Answer: '", "json": SCHEMA, "code": "```python", "choice": "A, B"}
    assert expected.get(kind, r"\boxed{}") in instruction(asked)

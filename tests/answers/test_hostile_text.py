"""A model's words and a foreign schema: no traceback, no work beyond its limit."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings

from ponder.answers.arithmetic import steps
from ponder.answers.equivalence import choice_key, quick_key
from ponder.answers.mathworker import MathWorker
from ponder.answers.reading import Reader
from ponder.answers.schemas import NONE, SchemaWorker, checked, satisfying
from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType, Message, Problem
from ponder.planning.wishes import spec
from ponder.verifiers.execution.codet import written
from tests.support.replies import HOSTILE, KINDS, read_reply

EXAMPLES = int(os.environ.get("PONDER_FUZZ", "100"))


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE, KINDS)
def test_no_reply_breaks_a_reader(text: str, kind: AnswerType) -> None:
    found = read_reply(text, kind)
    assert found is None or found == found.strip() != ""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1e400", 'j:"number 1e400"'),
        ("-1E400", 'j:"number -1e400"'),
        ("-1e999999999", 'j:"number -1e999999999"'),
        ("1e-400", 'j:"number 1e-400"'),
        ("0e-400", "j:0"),
        ("0.0", "j:0"),
        ("1.0", "j:1"),
        ('{"b": 1e400, "a": [1e308]}', f'j:{{"a":[{int(1e308)}],"b":"number 1e400"}}'),
        ("9" * 100_000, "t:" + "9" * 100_000),
        ("[" * 100_000, "t:["[:2]),
    ],
)
def test_json_beyond_a_double_has_a_key(text: str, key: str) -> None:
    assert quick_key(text, "json") == key


@pytest.mark.parametrize("kind", ["number", "math", "text", "choice", "json", "code"])
@pytest.mark.parametrize(
    "text",
    ["1e400", "-1e999999999", "1e-400", "NaN", "-Infinity", "9" * 100_000, "10^{10^9}",
     "0x" + "f" * 100_000, "(" * 100_000, "-" * 100_000 + "1", r"\frac{" * 3_000, "[" * 100_000],
)  # fmt: skip
async def test_a_number_beyond_measure_is_read_without_harm(
    reader: Reader, text: str, kind: AnswerType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader.math, "timeout", 0.5)  # a bomb has no answer
    problem = Problem((Message("user", "?"),), kind)
    for reply in (text, rf"\boxed{{{text}}}", f"```python\n{text}\n```", f"Answer: {text}"):
        found = await reader.read(reply, problem, False)
        assert found is None or found.key[1] == ":" or kind == "math"


def test_a_step_of_very_many_digits_is_none() -> None:
    long = "9" * 5_000
    assert steps(f"{long} - 4 = 5 (left: 3)", (9, 4), Fraction(5)) == (0, "")
    held, why = steps(f"9 - 4 = 5 (left: {long})", (9, 4), Fraction(5))
    assert (held, why) == (0, "after 9 - 4 = 5 there are left: 5")
    assert steps("\n" * 50_000, (9, 4), Fraction(5)) == (0, "")


def test_a_label_within_very_many_dots() -> None:
    assert choice_key("_(B)." + "." * 100_000) == "c:B"
    assert choice_key("A" + "." * 100_000 + "B") == "c:A" + "." * 100_000 + "B"
    assert choice_key("...") == "c:..."


def test_generated_tests_that_cannot_be_written_again_are_left_out() -> None:
    deep = "assert f(" + "-" * 900 + "1) == 1"
    digits = "assert f(0x" + "f" * 5_000 + ") == 1"
    block = f"```python\n{digits}\n{deep}\nassert f(1) == 2\n```"
    assert written([block], frozenset({"f"}))[-1:] in ((), ("assert f(1) == 2",))
    found = written([f"```python\n{digits}\nassert f(1) == 2\n```"], frozenset({"f"}))
    assert found == ("assert f(1) == 2",)


# JSON Schema --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ('{"multipleOf": 0.01}', "0.07", "0.075"),
        ('{"multipleOf": 0.1}', "4.35e1", "4.351"),
        ('{"multipleOf": 3}', "9" * 4_000, "1" + "0" * 4_000),
        ('{"multipleOf": 1e-300}', "1e300", "1e400"),
        ('{"type": "integer"}', "1.0", "1e400"),
        ('{"maximum": 10}', "-1e400", "1e400"),
        ('{"enum": [1, {"a": 2}]}', '{"a": 2.0}', '{"a": 3}'),
        ('{"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}', "[[]]", "["),
        ('{"$dynamicAnchor": "n", "items": {"$dynamicRef": "#n"}, "type": "array"}', "[[]]", "[1]"),
        ('{"format": "email"}', '"not one"', "nothing"),
    ],
)
def test_schemas_decide_exactly(schema: str, right: str, wrong: str) -> None:
    assert checked(schema) == ""
    assert satisfying(schema, wrong, right) == 1
    assert satisfying(schema, wrong) == NONE


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("{", "is invalid"),
        ("3", "a schema is an object"),
        ('{"type": "nothing"}', "is invalid: at"),
        ('{"$ref": "https://example.org/schema"}', r"dangling \$ref"),
        ('{"$ref": "file:///etc/passwd"}', r"dangling \$ref"),
        ('{"$ref": "#/nowhere"}', r"dangling \$ref"),
        ('{"$ref": "#"}', "leads back to itself without end"),
        ('{"pattern": "("}', "is invalid"),
        ('{"multipleOf": 0}', "is invalid"),
        ('{"$schema": []}', "is invalid"),
        ('{"maximum": "x"}', "is invalid"),
        ("[" * 100_000, "is invalid"),
    ],
)
async def test_a_bad_schema_is_refused_in_one_sentence(
    reader: Reader, schema: str, why: str
) -> None:
    asked = spec("?", model="m", answer_type="json", schema=schema)
    with pytest.raises(UsageError, match=why) as refused:
        await reader.check(asked.problem)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 700


DOUBLING = json.dumps(
    {
        "$defs": {
            f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)
        } | {"a40": {"type": "array"}},
        "items": {"$ref": "#/$defs/a0"},
    }
)  # fmt: skip
SLOW = {
    "a pattern of nested repetition": ('{"pattern": "^(a|a)*$"}', json.dumps("a" * 60 + "!")),
    "unique objects": (
        '{"uniqueItems": true}',
        json.dumps([{"a": {"b": i}} for i in range(30_000)]),
    ),
    "references that double": (DOUBLING, "[[]]"),
    "a property's pattern": (
        '{"patternProperties": {"^(a|a)*$": true}, "additionalProperties": false}',
        json.dumps({"a" * 60 + "!": 1}),
    ),
    "unevaluated properties": (
        json.dumps({"unevaluatedProperties": False, "pattern": "(x+x+)+y"}), json.dumps("x" * 60)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SLOW)
async def test_a_schema_that_takes_too_long_ends_with_its_process(kind: str) -> None:
    worker = SchemaWorker(timeout=60.0)
    schema, text = SLOW[kind]
    try:
        await worker.check(schema)
        worker.timeout = 1.0
        assert await worker.first(schema, [text]) is None
        worker.timeout = 60.0
        assert await worker.first('{"type": "array"}', ["{}", "[]"]) == 1
    finally:
        worker.close()


async def test_the_loop_is_free_while_a_schema_is_checked() -> None:
    worker = SchemaWorker(timeout=1.0)
    schema, text = SLOW["references that double"]
    busy = asyncio.create_task(worker.first(schema, [text]))
    turns = 0
    while not busy.done() and turns < 1_000:
        await asyncio.sleep(0)
        turns += 1
    assert turns == 1_000
    assert await busy is None
    worker.close()


async def test_a_key_of_any_length_becomes_a_short_one() -> None:
    worker = MathWorker()
    long = await worker.key("+".join(rf"\operatorname{{f}}_{{{i}}}(x)" for i in range(90)))
    assert long is None or len(long) <= 1_000
    worker.close()

"""Events of responses, whatever a run tells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.core.tools import ToolCall
from ponder.server.responses.body import ResponseBody
from ponder.server.responses.form import Head, Outcome
from ponder.server.responses.writer import Writer
from ponder.server.telling.answered import Tokens
from tests.support.responding import EVENT, RESPONSE, check, kinds

ENDS = [
    Outcome("completed", Tokens(1, 0, 2, 1)),
    Outcome("incomplete", Tokens(), "max_output_tokens"),
    Outcome("cancelled"),
    Outcome("failed", error={"code": "server_error", "message": "x"}),
]
STEPS = st.lists(st.tuples(st.sampled_from(["think", "answer", "tell", "start"]), st.text()))


def head(**body: object) -> Head:
    return Head(ResponseBody.model_validate({"model": "m", "input": "x", **body}))


CALLS = st.lists(st.builds(ToolCall, st.text(), st.text(), st.text(min_size=1)), max_size=3)


@given(STEPS, CALLS, st.sampled_from(ENDS), st.booleans(), st.sampled_from([0, 10**6]))
def test_any_order_of_increments_makes_a_stream_that_is_well_formed(
    steps: list[tuple[str, str]],
    calls: list[ToolCall],
    outcome: Outcome,
    queued: bool,
    first_number: int,
) -> None:
    writer = Writer(head(), first_number)
    writer.begin(queued=queued)
    for kind, text in steps:
        match kind:
            case "think":
                writer.think(text)
            case "answer":
                writer.answer(text)
            case "tell":
                writer.tell({"type": text})
            case "start":
                writer.start()
        for item in writer.output:
            RESPONSE.validate_python(head().over(Outcome("in_progress"), [item]))
    for call in calls:
        writer.call(call, "completed")
        for item in writer.output:
            RESPONSE.validate_python(head().over(Outcome("in_progress"), [item]))
    response = writer.end(outcome)
    for event in writer.events:
        EVENT.validate_python(event)
    check(writer.events, first_number)
    assert response["status"] == outcome.status
    said = "".join(text for kind, text in steps if kind == "answer")
    assert writer.text == said
    first = next((at for at, (kind, text) in enumerate(steps) if kind == "answer" and text), None)
    thought = "".join(text for kind, text in steps[:first] if kind == "think")
    shown = {item["type"]: item for item in response["output"]}
    assert [part["text"] for part in shown.get("reasoning", {"summary": []})["summary"]] == (
        [thought] if thought else []
    )
    assert ("message" in shown) == bool(said)
    made = [item for item in response["output"] if item["type"] == "function_call"]
    assert [(one["call_id"], one["name"], one["arguments"]) for one in made] == [
        (call.id, call.name, call.arguments) for call in calls
    ]
    assert response["output"][len(response["output"]) - len(made) :] == made


def test_an_answer_that_is_broken_off_is_incomplete_and_the_thinking_before_it_is_not() -> None:
    writer = Writer(head())
    writer.begin(queued=True)
    writer.start()
    writer.think("Hm.")
    writer.answer("It")
    response = writer.end(Outcome("cancelled"))
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
    assert kinds(writer.events)[:3] == ["created", "queued", "in_progress"]
    assert writer.events[-1]["type"] == "response.incomplete"

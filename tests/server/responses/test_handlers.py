"""The Responses API, as the official client and the bare wire see it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from ponder.core.budget import Budget
from ponder.core.errors import ModelError
from ponder.core.problem import Message
from ponder.models.base import Completion, Request
from ponder.server.keys import Key, new
from ponder.server.settings import Settings
from tests.support.responding import RESPONSE, check, deltas, events, kinds, streamed
from tests.support.serving import Gate, Served, answering, scripted, serving

HELLO = "Say hello to the reader."
JSON = {"content-type": "application/json"}
COUNT = "How many is six times seven?"


async def ask(server: Served, given: Any = HELLO, **more: Any) -> Any:
    """Ask the scripted model by the official client; its reply keeps to the client's types."""
    done = await server.openai.responses.create(model="scripted", input=given, **more)
    RESPONSE.validate_python(done.to_dict())
    return done


async def test_a_text_costs_one_sample_and_its_response_says_what_it_was_asked() -> None:
    model = answering("Hello, reader.")
    async with serving(model) as server:
        done = await ask(
            server,
            instructions="Be brief.",
            metadata={"a": "b"},
            temperature=0.5,
            max_output_tokens=50,
        )
    assert done.output_text == "Hello, reader."
    assert (done.status, done.error, done.incomplete_details) == ("completed", None, None)
    assert [item.type for item in done.output] == ["message"]
    assert done.output[0].status == "completed"
    [request] = model.requests
    assert request.messages == (Message("system", "Be brief."), Message("user", HELLO))
    assert (request.max_tokens, request.temperature) == (50, 0.5)
    assert (done.instructions, done.metadata, done.temperature) == ("Be brief.", {"a": "b"}, 0.5)
    assert (done.max_output_tokens, done.top_p, done.store, done.background) == (
        50, None, True, False,
    )  # fmt: skip
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens) == (7, 2, 9)
    assert done.usage.output_tokens_details.reasoning_tokens == 0
    assert done.ponder["strategy"] == "direct"


async def test_items_of_all_roles_and_those_that_are_sent_back() -> None:
    model = answering("One.", "Two.")
    async with serving(model) as server:
        first = await ask(
            server,
            [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "input_text", "text": "Say a word."}]},
            ],
        )
        thought = {"type": "reasoning", "id": "rs_1", "summary": [
            {"type": "summary_text", "text": "Hm."}], "encrypted_content": None}  # fmt: skip
        sent = [item.model_dump() for item in first.output]
        await ask(server, [thought, *sent, {"role": "user", "content": "Go on."}], store=False)
    assert model.requests[0].messages[0] == Message("system", "Be brief.")
    assert model.requests[1].messages == (Message("assistant", "One."), Message("user", "Go on."))


async def test_a_question_is_searched_and_the_search_is_told_in_the_summary() -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model) as server:
        wished = {"effort": "low", "summary": "auto"}
        done = await ask(server, COUNT, reasoning=wished)
        plain = await ask(server, COUNT, reasoning={"effort": "low"})
    thought, said = done.output
    assert thought.type == "reasoning"
    assert thought.summary[0].text.startswith("Searching with self_consistency on scripted.\n")
    assert "The vote: 42 has 2, 41 has 1; 1 may still come.\n" in thought.summary[0].text
    assert said.content[0].text == done.output_text == "so \\boxed{42}"
    assert [item.type for item in plain.output] == ["message"]
    assert (done.reasoning.effort, done.reasoning.summary) == ("low", "auto")
    made = done.ponder["receipt"]["total"]
    whole = made["completion_tokens"] + made["wasted_tokens"]
    assert done.usage.output_tokens == whole
    assert done.usage.output_tokens_details.reasoning_tokens == whole - 2


async def test_the_events_come_in_their_order() -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model) as server:
        wished = {"effort": "low", "summary": "detailed"}
        found = await streamed(server, input=COUNT, reasoning=wished)
    assert kinds(found) == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    told = "".join(deltas(found, "summary_text")).splitlines()
    assert told[:3] == [
        "Searching with self_consistency on scripted.", "3 samples started.", "it is \\boxed{41}",
    ]  # fmt: skip
    assert "".join(deltas(found, "output_text")) == "so \\boxed{42}"
    assert found[0]["response"]["output"] == []
    assert found[-1]["response"]["usage"]["output_tokens"] > 2


async def test_a_concise_summary_has_the_sentences_alone() -> None:
    thought = Completion("Hello.", "stop", 4, 5, reasoning="They greet me.", reasoning_tokens=4)
    async with serving(answering("so \\boxed{42}")) as server:
        wished = {"effort": "low", "summary": "concise"}
        found = await streamed(server, input=COUNT, reasoning=wished)
    told = found[-1]["response"]["output"][0]["summary"][0]["text"]
    assert told.splitlines() == [
        "Searching with self_consistency on scripted.",
        "3 samples started.",
        "Best so far: 42.",
        "The vote: 42 has 1; 3 may still come.",
        "The vote: 42 has 2; 2 may still come.",
        "The vote: 42 has 3; 1 may still come.",
    ]
    async with serving(scripted(lambda request: thought, thinks=True)) as server:
        short = await streamed(server, input=HELLO, reasoning={"summary": "concise"})
        long = await streamed(server, input=HELLO, reasoning={"summary": "auto"})
    assert "".join(deltas(short)) == "Hello."
    assert "".join(deltas(long, "summary_text")) == "They greet me."
    usage = long[-1]["response"]["usage"]
    assert usage["output_tokens_details"]["reasoning_tokens"] == 4


async def test_the_clients_own_stream_and_structured_output() -> None:
    class Answer(BaseModel):
        n: int

    async with serving(answering('so {"n": "x"}', 'so ```json\n{"n": 42}\n```')) as server:
        done = await server.openai.responses.parse(
            model="scripted", input=COUNT, text_format=Answer, reasoning={"effort": "low"}
        )
        assert done.output_parsed == Answer(n=42)
        assert done.output_text == '{"n": 42}'
        async with server.openai.responses.stream(
            model="scripted", input=COUNT, text_format=Answer, reasoning={"summary": "auto"}
        ) as stream:
            found = [event.type async for event in stream]
            final = await stream.get_final_response()
        loose = await ask(server, COUNT, text={"format": {"type": "json_object"}})
    assert final.output_parsed == Answer(n=42)
    assert found[-1] == "response.completed"
    assert loose.output_text in ('{"n": "x"}', '{"n": 42}')
    assert loose.text.format.type == "json_object"


async def test_a_response_is_retrieved_deleted_and_gone_on_from() -> None:
    model = answering("One.", "Two.", "Three.")
    async with serving(model) as server:
        client = server.openai.responses
        first = await ask(server, "Say a word.", instructions="Be brief.")
        second = await ask(server, "Again.", previous_response_id=first.id)
        await ask(server, "Again?", previous_response_id=second.id, instructions="Shout.")
        assert await client.retrieve(first.id) == first
        assert second.previous_response_id == first.id
        await client.delete(first.id)
        with pytest.raises(openai.NotFoundError, match="no stored response"):
            await client.retrieve(first.id)
        with pytest.raises(openai.NotFoundError):
            await client.delete(first.id)
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(server, previous_response_id=first.id)
        assert caught.value.code == "previous_response_not_found"
        hidden = await ask(server, store=False)
        with pytest.raises(openai.NotFoundError):
            await client.retrieve(hidden.id)
    word, again = Message("user", "Say a word."), Message("user", "Again.")
    one, two = Message("assistant", "One."), Message("assistant", "Two.")
    assert model.requests[1].messages == (word, one, again)
    assert model.requests[2].messages == (
        Message("system", "Shout."), word, one, again, two, Message("user", "Again?"),
    )  # fmt: skip


async def test_a_response_in_the_background_is_watched_and_read_again() -> None:
    gate = Gate()
    async with serving(scripted(lambda request: "Late.", gate=gate)) as server:
        client = server.openai.responses
        begun = await ask(server, background=True)
        assert (begun.status, begun.output) == ("in_progress", [])
        await gate.reached()
        assert (await client.retrieve(begun.id)).status == "in_progress"
        with pytest.raises(openai.BadRequestError, match="is in_progress"):
            await ask(server, previous_response_id=begun.id)
        asked = {"model": "scripted", "input": HELLO, "background": True, "stream": True}
        stream = events(server, "POST", "/v1/responses", **asked)
        first = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        path = f"/v1/responses/{first['response']['id']}?stream=true"
        gate.set()
        whole = [event async for event in events(server, "GET", path)]
        check(whole)
        again = [event async for event in events(server, "GET", f"{path}&starting_after=3")]
        assert again == whole[4:]
        assert whole[-1]["response"] == (await client.retrieve(first["response"]["id"])).to_dict()
        followed = await client.retrieve(first["response"]["id"], stream=True, starting_after=1)
        assert [event.sequence_number async for event in followed] == [*range(2, len(whole))]
        path = f"/v1/responses/{begun.id}?stream=true"
        refused = await server.http.get(path)
    assert "can be read again" in refused.json()["error"]["message"]


async def test_a_cancelled_response_has_ended_and_says_what_it_cost() -> None:
    gate = Gate()
    model = scripted(lambda request: "Late.", gate=gate)
    async with serving(model) as server:
        client = server.openai.responses
        begun = await ask(server, COUNT, background=True)
        await gate.reached()
        done = await client.cancel(begun.id)
        assert model.running == 0
        assert done.status == "cancelled"
        assert done.usage is not None
        assert done.usage.total_tokens == server.engine.spent.tokens > 0
        assert done == await client.cancel(begun.id) == await client.retrieve(begun.id)
        with pytest.raises(openai.BadRequestError, match="is cancelled"):
            await ask(server, previous_response_id=begun.id)
        gate.set()
        plain = await ask(server)
        with pytest.raises(openai.BadRequestError, match="not in the background"):
            await client.cancel(plain.id)


async def test_a_reader_of_a_cancelled_response_is_told_so() -> None:
    gate = Gate()
    async with serving(scripted(lambda request: "Late.", gate=gate)) as server:
        asked = {"model": "scripted", "input": COUNT, "background": True, "stream": True}
        found = []
        async for event in events(server, "POST", "/v1/responses", **asked):
            found.append(event)
            if len(found) == 1:
                await gate.reached()
                await server.openai.responses.cancel(event["response"]["id"])
    check(found)
    assert found[-1]["type"] == "response.incomplete"
    assert found[-1]["response"]["status"] == "cancelled"


async def test_who_hangs_up_ends_the_run_and_its_cost_is_booked() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model) as server:
        stream = await server.openai.responses.create(model="scripted", input=COUNT, stream=True)
        first = await anext(aiter(stream))
        assert first.type == "response.created"
        await gate.reached()
        await stream.close()
        await gate.left()
        assert model.running == 0
    words = [m.content.split() for request in model.requests for m in request.messages]
    assert server.engine.spent.tokens == sum(map(len, words))


async def test_incomplete_ends_say_why() -> None:
    cut = Completion("Hello, dear", "length", 4, 3)
    async with serving(scripted(lambda request: cut)) as server:
        done = await ask(server, max_output_tokens=3)
        found = await streamed(server, input=HELLO, max_output_tokens=3)
        no = await ask(server, COUNT, extra_body={"ponder": {"budget": {"tokens": 600}}})
    assert (done.status, done.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert done.output[0].status == "incomplete"
    assert done.output_text == "Hello, dear"
    assert found[-1]["type"] == "response.incomplete"
    assert no.status == "incomplete"
    refused = Completion("No.", "refusal", 4, 1)
    async with serving(scripted(lambda request: refused)) as server:
        done = await ask(server)
    assert (done.status, done.incomplete_details.reason) == ("incomplete", "content_filter")


async def test_failures_are_told_before_the_stream_within_it_and_afterwards() -> None:
    async with serving(scripted(lambda request: ModelError("the wire is cut."))) as server:
        client = server.openai.responses
        with pytest.raises(openai.BadRequestError, match="too small"):
            await ask(server, COUNT, extra_body={"ponder": {"budget": {"tokens": 5}}})
        with pytest.raises(openai.BadRequestError, match="too small"):
            await streamed_by(client, COUNT, extra_body={"ponder": {"budget": {"tokens": 5}}})
        with pytest.raises(openai.APIStatusError, match="the wire is cut") as caught:
            await ask(server)
        assert (caught.value.status_code, caught.value.code) == (502, "run_failed")
        found = await streamed(server, input=HELLO)
        begun = await ask(server, background=True)
        path = f"/v1/responses/{begun.id}"
        done = (await server.http.get(path)).json()
        while done["status"] != "failed":
            done = (await server.http.get(path)).json()
    assert found[-1]["type"] == "response.failed"
    assert found[-1]["response"]["error"] == done["error"]
    assert done["error"]["code"] == "server_error"
    assert "the wire is cut" in done["error"]["message"]
    assert done["ponder"]["receipt"]


async def test_a_fault_of_ours_is_told_in_the_log_alone() -> None:
    def reply(request: Request) -> str:
        raise ZeroDivisionError("secret")

    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: heard.append(told))
    async with serving(scripted(reply)) as server:
        with pytest.raises(openai.InternalServerError, match="its log has the reason") as caught:
            await ask(server)
        found = await streamed(server, input=HELLO)
    assert "secret" not in caught.value.response.text
    assert found[-1]["response"]["error"] == {
        "code": "server_error",
        "message": "the server failed; its log has the reason.",
    }
    assert [str(told["exception"]) for told in heard] == ["secret", "secret"]


async def streamed_by(client: Any, given: str, **more: Any) -> None:
    await client.create(model="scripted", input=given, stream=True, **more)


async def test_the_mode_pro_is_a_parallel_search() -> None:
    model = answering("so \\boxed{42}")
    async with serving(model) as server:
        wished = {"mode": "pro", "effort": "low"}
        done = await ask(server, COUNT, reasoning=wished)
        given = {"ponder": {"knobs": {"n": 3}}}
        fewer = await ask(server, COUNT, reasoning={"mode": "pro"}, extra_body=given)
        count = len(model.requests)
        text = await ask(server, HELLO, reasoning=wished)
        assert len(model.requests) - count == 8
    assert (done.ponder["strategy"], done.ponder["knobs"]["n"]) == ("self_consistency", 8)
    assert fewer.ponder["knobs"]["n"] == 3
    assert text.ponder["strategy"] == "aggregate"
    assert (done.reasoning.mode, done.reasoning.effort) == ("pro", "low")


async def test_the_dial_and_the_effort_of_the_models_name() -> None:
    async with serving(answering("so \\boxed{42}")) as server:
        done = await server.openai.responses.create(model="scripted:low", input=COUNT)
        auto = await ask(server, COUNT, reasoning={"effort": "auto"})
        dial = {"strategy": "best_of_n", "knobs": {"n": 2}, "events": True}
        found = await streamed(server, input=COUNT, ponder=dial)
    assert done.model == "scripted:low"
    assert done.ponder["effort"] == "low"
    assert (auto.reasoning.effort, auto.ponder["effort"]) == (None, "auto")
    told = [e["response"].get("ponder", {}).get("event", {}) for e in found if "response" in e]
    assert {"run_started", "sample_finished", "ended"} <= {event.get("type") for event in told}
    assert found[-1]["response"]["ponder"]["strategy"] == "best_of_n"


def structured(schema: object) -> dict[str, Any]:
    return {"text": {"format": {"type": "json_schema", "name": "x", "schema": schema}}}


def deep(levels: int) -> object:
    return [deep(levels - 1)] if levels > 1 else {}


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"input": []}, "input", "it is empty"),
        ({"input": [{"role": "assistant", "content": "Hi"}]}, "input", "must end with a message"),
        ({"input": [{"type": "function_call", "call_id": "1"}]}, "input[0]",
         "needs 'call_id', 'name' and 'arguments'"),
        ({"input": [{"type": "computer_call"}]}, "input[0]", "'computer_call' are not supported"),
        ({"input": [{"type": "item_reference", "id": "1"}]}, "input", "send the item itself"),
        ({"input": [{"type": "item_reference"}]}, "input[0]", "needs 'id'"),
        ({"input": [{"role": "user"}]}, "input[0]", "needs 'role' and 'content'"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
         "input[0].content", "'input_file' are not supported"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "expected one of none, minimal"),
        ({"reasoning": {"mode": "fast"}}, "reasoning.mode", "not valid"),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context", "earlier turns"),
        ({"reasoning": {"mode": "pro"}, "ponder": {"strategy": "mcts"}}, "body", "both choose"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format",
         "needs 'name' and 'schema'"),
        ({"text": {"format": {"type": "text", "name": "x"}}}, "text.format", "no other members"),
        ({"reasoning": {"summary": "auto", "generate_summary": "concise"}}, "reasoning", "differ"),
        ({"ponder": {"events": True}}, "body", "belongs to a stream"),
        ({"text": {"verbosity": "low"}}, "text.verbosity", "not valid"),
        ({"truncation": "auto"}, "truncation", "no part of the input is left out"),
        ({"include": ["everything"]}, "include", "there is no 'everything'"),
        ({"metadata": {"a": "b" * 513}}, "metadata", "up to 16 pairs"),
        ({"background": True, "store": False}, "body", "needs a stored response"),
        ({"stream_options": {}}, "body", "belongs to a stream"),
        ({"top_logprobs": 2}, "body", "'top_logprobs' belongs to log-probabilities"),
        ({"top_logprobs": 21}, "top_logprobs", "not valid"),
        ({"temperature": 3}, "temperature", "not valid"),
        ({"temperature": 1, "ponder": {"knobs": {"temperature": 1}}}, "ponder.knobs.temperature",
         "given twice"),
        ({"previous_response_id": "resp_x"}, "previous_response_id", "no stored response"),
        ({"conversation": "conv_1"}, "conversation", "not valid"),
        ({"seed": 1}, "seed", "not supported here"),
        (structured({"a": deep(64)}), "text.format", "more than 64 levels"),
    ],
)  # fmt: skip
async def test_a_field_that_cannot_be_honoured_is_refused(
    body: dict[str, Any], param: str, message: str
) -> None:
    model = answering("x")
    async with serving(model) as server:
        text = json.dumps({"model": "scripted", "input": HELLO, **body})
        said = await server.http.post("/v1/responses", content=text, headers=JSON)
    error = said.json()["error"]
    assert (said.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    assert message in error["message"]
    assert not model.requests


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("stream=1", "stream"),
        ("stream=true&starting_after=x", "starting_after"),
        ("include_obfuscation=true", "include_obfuscation"),
        ("starting_after=1", "starting_after"),
        ("include=everything", "include"),
        ("colour=x", "colour"),
    ],
)
async def test_a_query_that_cannot_be_honoured_is_refused(query: str, field: str) -> None:
    async with serving(answering("x")) as server:
        done = await ask(server)
        said = await server.http.get(f"/v1/responses/{done.id}?{query}")
    assert (said.status_code, said.json()["error"]["param"]) == (400, field)


async def test_a_response_belongs_to_the_key_that_asked() -> None:
    (mine, _), (other, _) = new("mine"), new("other")
    keys = tuple(Key(name, digest(key)) for name, key in (("mine", mine), ("other", other)))
    gate = Gate()
    model = scripted(lambda request: "Hi.", gate=gate)
    async with serving(model, Settings(keys=keys), key=mine) as server:
        begun = await ask(server, background=True)
        foreign = server.openai.with_options(api_key=other).responses
        await gate.reached()
        for call in (foreign.retrieve, foreign.cancel, foreign.delete):
            with pytest.raises(openai.NotFoundError):
                await call(begun.id)
        gate.set()
        while (await server.openai.responses.retrieve(begun.id)).status != "completed":
            pass
        for call in (foreign.retrieve, foreign.cancel, foreign.delete):
            with pytest.raises(openai.NotFoundError):
                await call(begun.id)
        with pytest.raises(openai.BadRequestError, match="no stored response"):
            await foreign.create(model="scripted", input="Hi", previous_response_id=begun.id)
        said = await server.http.get(f"/v1/responses/{begun.id}")
    assert said.status_code == 401


def digest(key: str) -> str:
    import hashlib

    return hashlib.sha256(key.encode()).hexdigest()


async def test_stored_responses_survive_a_restart(tmp_path: Path) -> None:
    journal, asked = tmp_path / "runs.sqlite", []

    def reply(request: Request) -> str:
        asked.append(request.messages)
        return "One."

    async with serving(scripted(reply), journal=journal) as server:
        first = await ask(server)
        asked_for = {"background": True, "stream": True}
        found = await streamed(server, input=HELLO, **asked_for)
    assert (tmp_path / "runs-responses.sqlite").exists()
    async with serving(scripted(reply), journal=journal) as server:
        assert await server.openai.responses.retrieve(first.id) == first
        name = found[0]["response"]["id"]
        path = f"/v1/responses/{name}?stream=true&starting_after=2"
        assert [event async for event in events(server, "GET", path)] == found[3:]
        await ask(server, "Again.", previous_response_id=first.id)
    assert asked[-1][1:] == (Message("assistant", "One."), Message("user", "Again."))


async def test_a_key_s_ceiling_and_the_queue_hold_here_too() -> None:
    gate = Gate()
    model = scripted(lambda request: "Hi.", gate=gate)
    settings = Settings(at_once=1, queue=1, ceiling=Budget(tokens=3000))
    async with serving(model, settings) as server:
        client = server.openai.responses
        running = await ask(server, background=True)
        waiting = await ask(server, background=True)
        assert (running.status, waiting.status) == ("in_progress", "queued")
        with pytest.raises(openai.RateLimitError) as caught:
            await ask(server)
        assert caught.value.response.headers["retry-after"]
        dropped = await client.cancel(waiting.id)
        assert (dropped.status, dropped.usage.total_tokens) == ("cancelled", 0)
        found = []
        asked = {"model": "scripted", "input": HELLO, "stream": True}
        async for event in events(server, "POST", "/v1/responses", **asked):
            found.append(event)
            gate.set()
    assert kinds(found)[:3] == ["created", "queued", "in_progress"]
    check(found)


async def test_silence_is_filled() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model, Settings(pause=0.001)) as server:
        found: list[Any] = []
        asked = {"model": "scripted", "input": HELLO, "stream": True}
        async for event in events(server, "POST", "/v1/responses", **asked):
            found.append(event)
            if event == ": still thinking":
                gate.set()
    assert found[0]["type"] == "response.created"
    assert ": still thinking" in found

"""Log-probabilities in the Responses API. ``chat/test_logprobs.py`` has which tokens are told."""

from __future__ import annotations

from typing import Any

from openai.types.responses import Response

from ponder.models.base import Completion
from ponder.server.chat.logprobs import TOGETHER
from tests.support.responding import RESPONSE, deltas, streamed
from tests.support.serving import answering, scripted, serving

ASK: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
SPLIT = Completion(
    "I say",
    "stop",
    4,
    2,
    logprobs=(-0.5, -0.25),
    pieces=(b" I", b" say"),
    top=({" I": -0.5, "You": -3.0, "We": -2.0}, {" \ufffd": -1.0}),
)
TOLD = [
    {
        "token": " I",
        "bytes": [32, 73],
        "logprob": -0.5,
        "top_logprobs": [
            {"token": " I", "bytes": [32, 73], "logprob": -0.5},
            {"token": "We", "bytes": [87, 101], "logprob": -2.0},
        ],
    },
    {
        "token": " say",
        "bytes": list(b" say"),
        "logprob": -0.25,
        "top_logprobs": [{"token": " \ufffd", "bytes": [], "logprob": -1.0}],
    },
]


async def test_each_token_of_the_answer_is_told_and_stored() -> None:
    body = {"model": "scripted", "input": "Well?", **ASK}
    async with serving(scripted(lambda request: SPLIT)) as server:
        said = (await server.http.post("/v1/responses", json=body)).json()
        kept = await server.http.get(
            f"/v1/responses/{said['id']}?include=message.output_text.logprobs"
        )
    Response.model_validate(said, strict=True)
    [message] = said["output"]
    assert message["content"][0]["logprobs"] == TOLD
    assert said["top_logprobs"] == 2
    assert kept.json() == said


async def test_a_stream_tells_the_tokens_with_the_text_that_they_spell() -> None:
    text = " ".join(f"word{at}" for at in range(2 * TOGETHER + 3))
    async with serving(answering(text)) as server:
        found = await streamed(server, input="Well?", **ASK)
        plain = await streamed(server, input="Well?")
    assert "".join(deltas(found, "output_text")) == text
    tokens: list[Any] = []
    told = [event for event in found if event["type"] == "response.output_text.delta"]
    for event in told:
        assert "".join(one["token"] for one in event["logprobs"]).strip() == event["delta"].strip()
        tokens += event["logprobs"]
    assert len(told) == 3
    [done] = [event for event in found if event["type"] == "response.output_text.done"]
    [message] = found[-1]["response"]["output"]
    assert tokens == done["logprobs"] == message["content"][0]["logprobs"]
    assert len(tokens) == 2 * TOGETHER + 3
    assert not any(event.get("logprobs") for event in plain)


async def test_without_the_wish_nothing_is_asked() -> None:
    model = answering("Hello.")
    async with serving(model) as server:
        done = await server.openai.responses.create(
            model="scripted", input="Hi.", include=[], top_logprobs=0
        )
    RESPONSE.validate_python(done.to_dict())
    message: Any = done.output[0]
    assert message.content[0].logprobs == []
    assert not any(request.logprobs or request.pieces for request in model.requests)

"""Probes, on servers that do, do not, or do odd things."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ponder.models.discovery.facts import Facts
from ponder.models.discovery.probing import probe
from ponder.models.http.asking import asking
from ponder.models.http.endpoint import Endpoint
from tests.support.telling import Json, chatting, telling

AROUND = 5
"""Tokens of the marks around a turn."""


def probed(answer: Callable[[Json], Json]) -> Facts:
    async def go(url: str) -> Facts:
        endpoint = Endpoint(name="x", base_url=f"{url}/v1", model="m")
        async with asking(endpoint) as ask:
            return await probe(ask, endpoint)

    with telling(lambda method, path, body: answer(body)) as server:
        return asyncio.run(go(server.url))


def words(body: Json) -> int:
    return sum(len(message["content"].split()) for message in body["messages"])


def closing(body: Json) -> Json:
    """Every message is a turn with marks around it."""
    return chatting(body, prompt=words(body) + AROUND * (len(body["messages"]) + 1))


def continuing(body: Json) -> Json:
    """The last message is continued."""
    own = body["messages"][-1]["role"] == "assistant"
    return chatting(body, prompt=words(body) + AROUND * (len(body["messages"]) + 1 - own))


def flagged(body: Json) -> Json:
    """It is continued if the flags say so."""
    return (continuing if body.get("continue_final_message") else closing)(body)


def repeating(body: Json) -> Json:
    """The reply begins with the prefix."""
    last = body["messages"][-1]
    prefix = last["content"] if last["role"] == "assistant" else ""
    return chatting(body, f"{prefix} and", prompt=10)


def strict(body: Json) -> Json:
    """An assistant's message at the end is refused."""
    if body["messages"][-1]["role"] == "assistant":
        return 400, {"error": {"message": "Expected last role User"}}
    return closing(body)


def mute(body: Json) -> Json:
    """Without a usage there is nothing to compare."""
    return {"choices": [{"message": {"content": "It"}, "finish_reason": "length"}]}


def thinking(body: Json) -> Json:
    """The prompt opens the thinking, unless a message is continued."""
    own = body["messages"][-1]["role"] == "assistant"
    return chatting(
        body, prompt=words(body) + AROUND * (len(body["messages"]) + 1 - own) + 2 - 2 * own
    )


@pytest.mark.parametrize(
    ("server", "way"),
    [
        (closing, "none"),
        (continuing, "final_message"),
        (flagged, "continue_final_message"),
        (repeating, "final_message"),
        (strict, "none"),
        (mute, None),
        (thinking, "final_message"),
    ],
)
def test_the_way_to_continue_a_message(server: Callable[[Json], Json], way: str | None) -> None:
    assert probed(server).value("prefill") == way


def test_log_probabilities_and_several_samples_are_seen_in_the_reply() -> None:
    def few(body: Json) -> Json:
        return closing({k: v for k, v in body.items() if k not in ("n", "logprobs")})

    able = ("logprobs", "top_logprobs", "n", "seed")
    assert [probed(closing).value(name) for name in able] == [True] * 4
    assert [probed(few).value(name) for name in able] == [False, False, False, True]


def test_a_seed_that_changes_nothing_is_seen() -> None:
    count = iter(range(1000))
    assert probed(lambda body: chatting(body, f"text {next(count)}")).value("seed") is False


@pytest.mark.parametrize(
    "reply", [(500, {}), (404, None), (401, {"error": "no"}), (200, b"no JSON"), (307, "/")]
)
def test_a_server_that_cannot_be_asked_so_shows_nothing(reply: Json) -> None:
    assert probed(lambda body: reply).found == {}


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [None], [7], [{"message": 7, "logprobs": 7}],
                                 [{"logprobs": {"content": [7]}}]])  # fmt: skip
def test_replies_of_any_shape_are_no_error(odd: Any) -> None:
    found = probed(lambda body: (200, {"choices": odd, "usage": odd}))
    assert found.value("prefill") is None
    assert not found.value("logprobs")


def test_a_probe_asks_for_few_tokens() -> None:
    asked: list[Json] = []

    def listening(body: Json) -> Json:
        asked.append(body)
        return closing(body)

    probed(listening)
    assert len(asked) == 9
    assert sum(body["max_tokens"] * body.get("n", 1) for body in asked) == 32

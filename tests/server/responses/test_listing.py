"""The items that a response goes on from, as the official client lists them."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import ResponseItem, ResponseItemList
from pydantic import TypeAdapter

from ponder.core.problem import Message
from ponder.core.tools import Image
from ponder.server.errors import ApiError
from ponder.server.responses.listing import Page, listed, page
from tests.support.serving import Gate, answering, scripted, serving
from tests.support.tooling import PARIS, PNG, call

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
CONVERSATION = (
    Message("system", "Be brief."),
    Message("user", "How is Paris?", images=(Image(PNG),)),
    Message("assistant", "I look.", calls=(call(PARIS), call(PARIS, id="call_2"))),
    Message("tool", "sunny", call="call_1"),
    Message("tool", "", call="call_2", images=(Image(PNG, "low"),)),
)
ALL = Page(100, "asc", "")


def test_each_message_is_its_items_and_each_satisfies_the_vendor() -> None:
    found = listed("resp_ab", CONVERSATION, ALL)
    ResponseItemList.model_validate(found)
    items = [ITEM.validate_python(item, strict=True) for item in found["data"]]
    assert [(item.type, item.id) for item in items] == [
        ("message", "msg_abi000"),
        ("message", "msg_abi001"),
        ("message", "msg_abi002"),
        ("function_call", "fc_abi00200"),
        ("function_call", "fc_abi00201"),
        ("function_call_output", "fco_abi003"),
        ("function_call_output", "fco_abi004"),
    ]
    assert [part.type for part in items[1].content] == ["input_image", "input_text"]
    assert items[2].content[0].text == "I look."
    assert (items[3].call_id, items[3].arguments) == ("call_1", PARIS)
    assert items[5].output == "sunny"
    assert items[6].output[0].detail == "low"


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_the_pages_of_a_list_are_the_list(order: Any, limit: int) -> None:
    whole = listed("resp_ab", CONVERSATION, Page(100, order, ""))["data"]
    found: list[Any] = []
    more, after = True, ""
    while more:
        part = listed("resp_ab", CONVERSATION, Page(limit, order, after))
        found += part["data"]
        assert (part["first_id"], part["last_id"]) == (part["data"][0]["id"], found[-1]["id"])
        more, after = part["has_more"], part["last_id"]
    assert found == whole
    assert len(found) == 7
    assert listed("resp_ab", CONVERSATION, Page(limit, order, after))["data"] == []
    assert (found[0]["id"] < found[-1]["id"]) is (order == "desc")  # msg_ comes after fco_


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"order": "random"}, "order"),
    ],
)
def test_a_page_that_is_not_there(query: dict[str, str], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        page(query)
    assert refused.value.param == param


def test_a_page_after_an_item_that_is_not_there() -> None:
    with pytest.raises(ApiError, match="such as last_id"):
        listed("resp_ab", CONVERSATION, page({"after": "msg_x"}))


async def test_a_conversation_goes_on_and_is_listed_without_its_answer() -> None:
    async with serving(answering("One.", "Two.")) as server:
        client = server.openai.responses
        first = await client.create(model="scripted", input="First?")
        then = await client.create(
            model="scripted", input="Then?", previous_response_id=first.id, instructions="Be brief."
        )
        pages = await client.input_items.list(then.id, limit=2)
        found: list[Any] = [item async for item in pages]
        oldest = await client.input_items.list(then.id, order="asc", include=[])
        wrong = await server.http.get(f"/v1/responses/{then.id}/input_items?before=x")
        missing = await server.http.get("/v1/responses/resp_x/input_items")
    assert [item.content[0].text for item in found] == ["Then?", "One.", "First?"]
    assert [item.id for item in reversed(oldest.data)] == [item.id for item in found]
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "before")
    assert missing.status_code == 404


async def test_a_response_in_progress_has_its_input_already() -> None:
    gate = Gate()
    async with serving(scripted(lambda request: "late", gate=gate)) as server:
        client = server.openai.responses
        made = await client.create(model="scripted", input="Well?", background=True)
        await gate.reached()
        found = await client.input_items.list(made.id)
        await client.cancel(made.id)
        after = await client.input_items.list(made.id)
    assert [item.type for item in found.data] == ["message"]
    assert after.data == found.data

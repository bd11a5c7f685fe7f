"""The models, as the client of the Messages API sees them."""

from __future__ import annotations

import anthropic
import pytest
from anthropic.types import ModelInfo

from ponder.planning.presets import PRESETS
from tests.support.messaging import talking
from tests.support.serving import answering, serving

NAMES = ["scripted", *(f"scripted:{effort}" for effort in PRESETS)]


async def test_the_client_pages_through_the_models() -> None:
    async with serving(answering("x")) as server, talking(server) as client:
        whole = await client.models.list()
        assert [model.id async for model in client.models.list(limit=4)] == NAMES
        assert [model.id async for model in client.models.list(after_id=NAMES[6])] == NAMES[7:]
        back = await client.models.list(before_id=NAMES[3], limit=2)
        one = await client.models.retrieve("scripted:high")
        theirs = [model.id async for model in server.openai.models.list()]
        with pytest.raises(anthropic.NotFoundError, match="no model 'other'") as caught:
            await client.models.retrieve("other")
        for fields in ({"limit": 0}, {"limit": "x"}, {"after_id": "other"}, {"workspace": "w"}):
            with pytest.raises(anthropic.BadRequestError):
                await client.models.list(extra_query=fields)
    assert [model.id for model in whole.data] == theirs == NAMES
    assert (whole.has_more, whole.first_id, whole.last_id) == (False, NAMES[0], NAMES[-1])
    assert ([model.id for model in back.data], back.has_more) == (NAMES[1:3], True)
    ModelInfo.model_validate(one.model_dump(), strict=True)
    assert caught.value.type == "not_found_error"

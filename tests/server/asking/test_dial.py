"""The dial, whichever API's words stand beside it."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.core.problem import Message
from ponder.models.config import Config
from ponder.runtime.engine import Engine
from ponder.server.asking.asked import Asked
from ponder.server.asking.dial import Dial, asked
from ponder.server.asking.served import Served
from ponder.server.errors import ApiError

CHAT = (Message("user", "?"),)


def made(name: str = "m", dial: Dial | None = None, **more: Any) -> Asked:
    served = Served(Engine(Config()), ["m"])
    said: dict[str, Any] = {"effort": ("effort", None), "form": ("form", None), "own": {}, **more}
    return asked(dial or Dial(), served, name, CHAT, **said)


def test_an_api_and_the_name_of_the_model_may_say_the_same() -> None:
    assert made("m:high").effort == made("m", effort=("effort", "high")).effort == "high"
    assert made("m:high", effort=("effort", "high")).effort == "high"


def test_a_schema_asks_for_json_and_own_fields_are_knobs() -> None:
    found = made(form=("form", "{}"), own={"top_p": 0.5, "length": None}, seed=3)
    assert (found.answer_type, found.schema, found.knobs) == ("json", "{}", {"top_p": 0.5})
    assert (found.seed, found.messages) == (3, CHAT)
    assert made(form=("form", "")).answer_type == "json"
    assert made().answer_type == "auto"


@pytest.mark.parametrize(
    ("how", "param"),
    [
        ({"name": "m:low", "effort": ("effort", "high")}, "effort"),
        ({"dial": Dial(knobs={"top_p": 1.0}), "own": {"top_p": 0.5}}, "ponder.knobs.top_p"),
        ({"dial": Dial(knobs={"thinking": "low"}), "taken": ["thinking"]}, "ponder.knobs.thinking"),
        ({"dial": Dial(answer_type="number"), "form": ("form", "")}, "form"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(how: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        made(**how)
    assert refused.value.param == param

"""The fake that ships with the Protocol: it must do exactly what it is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ponder.core.errors import ModelError, ModelTimeout
from ponder.core.problem import Message
from ponder.models.base import Completion, Model, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from tests.support.virtual import run

ASKED = Request((Message("system", "be brief"), Message("user", "six times seven ?")), 3)


def test_replies_come_in_the_order_in_which_requests_begin() -> None:
    async def main() -> None:
        model = Scripted(["a", "b", "c"])
        done = await asyncio.gather(*[model.generate(ASKED) for _ in range(3)])
        assert [c.text for c in done] == ["a", "b", "c"]
        assert model.requests == [ASKED] * 3
        with pytest.raises(ModelError, match="the script is over"):
            await model.generate(ASKED)

    run(main())


def test_a_string_is_as_many_tokens_as_words_and_is_cut_at_the_bound() -> None:
    async def main() -> None:
        model = Scripted(["one two", "one two three", "one two three four"])
        told: list[tuple[int, int]] = []
        done = [
            await model.generate(ASKED, lambda d: told.append((d.prompt_tokens, d.tokens)))
            for _ in range(3)
        ]
        assert [(c.text, c.finish, c.completion_tokens) for c in done] == [
            ("one two", "stop", 2),
            ("one two three", "stop", 3),
            ("one two three", "length", 3),
        ]
        assert {c.prompt_tokens for c in done} == {6}
        assert told == [(6, 0), (6, 2), (6, 0), (6, 3), (6, 0), (6, 3)]

    run(main())


def test_a_function_answers_by_the_request_and_logprobs_come_where_asked_for() -> None:
    async def main() -> None:
        model = Scripted(lambda request: f"seed {request.seed}")
        plain = await model.generate(Request(ASKED.messages, 9, seed=5))
        rich = await model.generate(Request(ASKED.messages, 9, seed=6, logprobs=True, pieces=True))
        assert (plain.text, plain.logprobs, plain.pieces) == ("seed 5", None, None)
        assert (rich.text, rich.logprobs, rich.pieces) == ("seed 6", (-0.1, -0.1), (b"seed", b" 6"))

    run(main())


def test_errors_are_raised_and_completions_pass_through() -> None:
    async def main() -> None:
        lost, whole = ModelTimeout("late", prompt_tokens=1), Completion("x", "length", 9, 8, 7, 6)
        model = Scripted([lost, whole])
        with pytest.raises(ModelTimeout) as raised:
            await model.generate(ASKED)
        assert raised.value is lost
        assert await model.generate(ASKED) is whole
        assert model.running == 0

    run(main())


def test_a_gate_holds_replies_back_and_cancellation_frees_the_place() -> None:
    async def main() -> None:
        model = Scripted(["a", "b"], gate=asyncio.Event())
        first, second = (asyncio.ensure_future(model.generate(ASKED)) for _ in range(2))
        await asyncio.sleep(1)
        assert model.running == 2
        first.cancel()
        await asyncio.wait([first])
        assert model.running == 1
        assert model.gate is not None
        model.gate.set()
        assert (await second).text == "b"
        assert model.running == 0

    run(main())


def test_the_prompts_bound_is_one_token_per_word_with_the_prefix() -> None:
    model: Model = Scripted([])
    assert model.prompt_bound(ASKED.messages) == 6
    assert model.prompt_bound(ASKED.messages, "so far") == 8
    assert model.info == ModelInfo("scripted", EVERYTHING, Shape(1), local=True)
    run(model.close())


def test_alternatives_where_they_are_asked_for() -> None:
    async def main() -> None:
        model = Scripted(["one two"] * 2)
        asked = replace(ASKED, top_logprobs=3)
        assert (await model.generate(asked)).top == ({"one": -0.1}, {"two": -0.1})
        assert (await model.generate(ASKED)).top is None

    run(main())

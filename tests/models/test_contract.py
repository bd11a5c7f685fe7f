"""What every ``Model`` promises, asked of each of them."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import pytest

from ponder.core.errors import CapabilityError
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta
from ponder.models.base import Capability, Completion, Model, Request
from ponder.models.fakes.scripted import Scripted
from ponder.models.fakes.simulated import Simulated
from ponder.models.http.endpoint import Endpoint
from ponder.models.llamacpp import LlamaCpp
from ponder.models.openai.client import OpenAICompat
from ponder.models.openvino.model import OpenVINO
from tests.support.deltas import check
from tests.support.talking import ENDLESS, WORDS, talking_server

NAMES = ["scripted", "simulated", "endpoint", "stream"]
ENGINES = [pytest.param(name, marks=pytest.mark.engine) for name in ("openvino", "llamacpp")]
ABLE: frozenset[Capability] = frozenset({"seed", "stop", "native_thinking"})
ASK = Request((Message("user", "Count to ten, please."),), 24, temperature=0.0, watched=True)


@dataclass(frozen=True)
class Subject:
    """A model, and a way to wait until it generates nothing any more."""

    model: Model
    idle: Callable[[], Awaitable[None]]


def _speech(request: Request) -> str:
    rng = random.Random(request.seed if request.temperature else 0)
    return " ".join(rng.choice(WORDS) for _ in range(12))


async def _nothing() -> None:
    pass


@pytest.fixture(params=[*NAMES, *ENGINES])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    name = request.param
    async with AsyncExitStack() as stack:
        if name == "scripted":
            scripted = Scripted(_speech)
            yield Subject(scripted, _nothing)
            assert scripted.running == 0
        elif name == "simulated":
            yield Subject(Simulated(length=30, speed=1e6), _nothing)
        elif name in ("endpoint", "stream"):
            server = await stack.enter_async_context(talking_server())
            endpoint = Endpoint(
                name="e", base_url=server.url, model="m", capabilities=ABLE,
                prefill="final_message", stream=name == "stream",
            )  # fmt: skip
            client = OpenAICompat(endpoint)
            yield Subject(client, server.idle)
            await client.close()
        elif name == "openvino":
            embedded: OpenVINO = request.getfixturevalue("small_engine")
            yield Subject(embedded, partial(_drained, embedded))
        else:
            llamacpp: LlamaCpp = request.getfixturevalue("small_llamacpp")
            yield Subject(llamacpp, partial(_free, llamacpp))


async def _drained(model: OpenVINO) -> None:
    await model.generate(dataclasses.replace(ASK, max_tokens=2))
    assert model.metrics().requests == 0


async def _free(model: LlamaCpp) -> None:
    async with asyncio.timeout(30):
        while any(s["is_processing"] for s in await asyncio.to_thread(_slots, model)):
            pass


def _slots(model: LlamaCpp) -> list[dict[str, object]]:
    found: list[dict[str, object]] = model._call("GET", "/slots")
    return found


async def told(model: Model, request: Request) -> Completion:
    """The completion, its deltas checked."""
    seen: list[Delta] = []
    done = await model.generate(request, seen.append)
    check(seen, done, watched=request.watched)
    assert done.completion_tokens <= request.max_tokens
    asked = request.messages, request.prefix
    assert model.prompt_least(*asked) <= done.prompt_tokens <= model.prompt_bound(*asked)
    assert done.reasoning_tokens <= done.completion_tokens
    assert done.finish in ("stop", "length")
    return done


async def test_deltas_come_to_the_completion(subject: Subject) -> None:
    samples = [dataclasses.replace(ASK, temperature=1.0, seed=seed) for seed in range(4)]
    found = await asyncio.gather(*(told(subject.model, sample) for sample in samples))
    assert all(done.text for done in found)


async def test_nobody_is_told_a_text_who_does_not_watch(subject: Subject) -> None:
    await told(subject.model, dataclasses.replace(ASK, watched=False))


async def test_a_seed_makes_the_same_text_again(subject: Subject) -> None:
    one = dataclasses.replace(ASK, temperature=1.0, seed=3)
    again = [await told(subject.model, one) for _ in range(2)]
    assert again[0].text == again[1].text


async def test_max_tokens_cuts(subject: Subject) -> None:
    whole = await told(subject.model, ASK)
    cut = await told(subject.model, dataclasses.replace(ASK, max_tokens=4))
    assert cut.finish == "length"
    assert whole.text.startswith(cut.text)


async def test_a_stop_string_ends_the_text_before_it(subject: Subject) -> None:
    whole = (await told(subject.model, ASK)).text
    stop = whole[len(whole) // 3 :][:3]  # it may begin within a token, and end within another
    done = await told(subject.model, dataclasses.replace(ASK, stop=("@@", stop)))
    assert (done.text, done.finish) == (whole[: whole.index(stop)], "stop")


async def test_a_prefix_is_continued_and_not_repeated(subject: Subject) -> None:
    done = await told(subject.model, dataclasses.replace(ASK, prefix="Certainly: one"))
    assert not done.text.startswith("Certainly")


async def test_who_is_cancelled_stops_at_the_source(subject: Subject) -> None:
    begun = asyncio.Event()
    request = dataclasses.replace(ASK, max_tokens=ENDLESS, temperature=5.0, seed=1)
    if isinstance(subject.model, Scripted):
        subject.model.gate = asyncio.Event()
    task = asyncio.create_task(subject.model.generate(request, lambda delta: begun.set()))
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await subject.idle()


async def test_thinking_is_never_ignored(subject: Subject) -> None:
    able = "native_thinking" in subject.model.info.capabilities
    request = dataclasses.replace(ASK, thinking=Thinking("low"))
    if able:
        await told(subject.model, request)
    else:
        with pytest.raises(CapabilityError, match="no thinking of its own"):
            await subject.model.generate(request)

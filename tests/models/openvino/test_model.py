"""The embedded engine. Most need a model: PONDER_TEST_GGUF=/path/to/smollm2-135m.gguf."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import MissingExtra, ModelError, RequestRefused, UnknownName, UsageError
from ponder.core.problem import Message
from ponder.models.base import Completion, Request, Shape
from ponder.models.gguf.metadata import Header, metadata_only, read_header
from ponder.models.openvino.cache import BLOCK, PIECE, Blocks, pieces
from ponder.models.openvino.engine import Engine, _load
from ponder.models.openvino.machine import free_memory, usable_cores
from ponder.models.openvino.messages import Done, Job, Setup
from ponder.models.openvino.model import Metrics, OpenVINO, Settings, can_load, load
from tests.support.gguf_files import write_gguf

GGUF = os.environ.get("PONDER_TEST_GGUF", "")
needs_file = pytest.mark.skipif(not GGUF, reason="PONDER_TEST_GGUF names no model to test with")
needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("openvino_genai") is None, reason="openvino-genai is not installed"
)
TINY = Settings(slots=3, cache_gb=0.005)  # 7 blocks of SmolLM2, so: the least, 8


@pytest.fixture(scope="module")
def model() -> Iterator[OpenVINO]:
    if not GGUF or importlib.util.find_spec("openvino_genai") is None:
        pytest.skip("needs PONDER_TEST_GGUF and openvino-genai")
    lines: list[str] = []
    model = load(GGUF, name="smol", settings=Settings(cache_gb=0.5), on_progress=lines.append)
    assert lines[0].startswith("loading smol (")
    yield model
    asyncio.run(model.close())


def ask(text: str = "What is 2 + 2?", **settings: Any) -> Request:
    return Request((Message("user", text),), **{"max_tokens": 24, **settings})


async def sample(model: OpenVINO, seeds: Sequence[int], **settings: Any) -> list[Completion]:
    return await asyncio.gather(*(model.generate(ask(**settings, seed=seed)) for seed in seeds))


def texts(completions: Sequence[Completion]) -> list[str]:
    return [completion.text for completion in completions]


async def settled(model: OpenVINO, *, requests: int) -> Metrics:
    """The engine's metrics as soon as it has so many requests."""
    async with asyncio.timeout(600):
        while model.metrics().requests != requests:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return model.metrics()


# The same samples, whatever happens around them.


async def test_greedy_is_deterministic(model: OpenVINO) -> None:
    first, second = [await model.generate(ask(temperature=0, seed=s)) for s in (1, 2)]
    assert first.text == second.text


async def test_same_seed_same_text_whether_its_prompt_was_cached_or_not(model: OpenVINO) -> None:
    text = "Name a colour. " * 130  # two pieces
    cold = await sample(model, range(8), text=text)
    warm = await sample(model, range(8), text=text)
    assert texts(cold) == texts(warm)
    assert len(set(texts(cold))) > 1
    prompt = cold[0].prompt_tokens
    assert prompt > PIECE
    whole = (prompt - 1) // BLOCK * BLOCK
    assert cold[0].cached_tokens == 0
    # Who comes when the leader is through follows another one, which evaluates the last block.
    assert {c.cached_tokens for c in (*cold[1:], *warm)} <= {whole, prompt - 1}


async def test_same_seed_same_text_in_any_batch(model: OpenVINO) -> None:
    text = "Write a poem about seven rivers."
    some = await sample(model, range(8), text=text, max_tokens=16)
    more, other = await asyncio.gather(
        sample(model, range(40), text=text, max_tokens=16),  # more than there are slots
        sample(model, range(8), text="What is the capital of France?"),
    )
    assert texts(more[:8]) == texts(some)
    assert len(other) == 8


async def test_alone_the_same_seed_gives_the_same_text(model: OpenVINO) -> None:
    texts = [(await model.generate(ask("Tell me a story.", seed=5))).text for _ in range(3)]
    assert len(set(texts)) == 1


# What a completion says.


async def test_prefill_continues_the_prefix(model: OpenVINO) -> None:
    whole = await model.generate(ask("Count from 1 to 9.", temperature=0))
    prefix = "1, 2, 3, 4,"
    rest = await model.generate(
        ask("Count from 1 to 9.", temperature=0, prefix=prefix, stop=("6",))
    )
    assert rest.text.strip().startswith("5")
    assert "6" not in rest.text
    assert rest.finish == "stop"
    assert rest.prompt_tokens > whole.prompt_tokens


async def test_prompt_bound_is_exact_and_progress_ends_at_the_cost(model: OpenVINO) -> None:
    seen: list[tuple[int, int]] = []
    request = ask("Why is the sky blue?", max_tokens=5)
    before = model.metrics().tokens
    done = await model.generate(request, lambda d: seen.append((d.prompt_tokens, d.tokens)))
    assert model.metrics().tokens == before + done.completion_tokens
    assert model.prompt_bound(request.messages) == done.prompt_tokens
    assert seen[0] == (done.prompt_tokens, 0)
    assert seen[-1] == (done.prompt_tokens, done.completion_tokens)
    assert (done.completion_tokens, done.finish, done.wasted_tokens) == (5, "length", 0)
    assert done.seconds > 0


@pytest.mark.parametrize("stop", [" the", "th", "\n", "r cent"])
async def test_stop_strings_end_the_text_before_them(model: OpenVINO, stop: str) -> None:
    text = "Tell me about the moon and the tides."
    whole = await model.generate(ask(text, temperature=0, max_tokens=64))
    assert stop in whole.text, "choose another"
    cut = await model.generate(ask(text, temperature=0, max_tokens=64, stop=("@@", stop)))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish == "stop"
    assert cut.completion_tokens < whole.completion_tokens


async def test_logprobs_only_if_asked(model: OpenVINO) -> None:
    plain, asked = await asyncio.gather(
        model.generate(ask(seed=3)),
        model.generate(ask(seed=3, logprobs=True, pieces=True, temperature=2.0)),
    )
    assert plain.logprobs is None
    assert asked.logprobs is not None
    assert len(asked.logprobs) == asked.completion_tokens
    assert all(logprob <= 0 for logprob in asked.logprobs)
    assert plain.pieces is None
    assert len(asked.pieces or ()) == asked.completion_tokens
    assert b"".join(asked.pieces or ()).decode(errors="ignore") == asked.text.rstrip("\ufffd")


async def test_the_likeliest_first_tokens_of_a_greedy_sample_of_one(model: OpenVINO) -> None:
    settings: dict[str, Any] = {"temperature": 0.0, "logprobs": True}
    one = await model.generate(ask(max_tokens=1, top_logprobs=5, **settings))
    plain = await model.generate(ask(max_tokens=1, **settings))
    assert one.top is not None
    [place] = one.top
    assert 1 < len(place) <= 5
    assert max(place, key=lambda token: place[token]) == one.text == plain.text
    assert plain.logprobs is not None
    assert place[one.text] == pytest.approx(plain.logprobs[0], abs=0.01)
    assert sum(map(math.exp, place.values())) <= 1 + 1e-6
    assert (one.completion_tokens, plain.top) == (1, None)
    longer = await model.generate(ask(max_tokens=2, top_logprobs=5, **settings))
    assert longer.top is None


async def test_the_end_of_the_text_is_counted_and_not_shown(model: OpenVINO) -> None:
    done = await model.generate(ask("Say hi.", temperature=0, max_tokens=200, logprobs=True))
    assert done.finish == "stop"
    assert "<|im_end|>" not in done.text
    assert done.logprobs is not None
    assert len(done.logprobs) == done.completion_tokens < 200


async def test_texts_with_markup_or_broken_characters_do_no_harm(model: OpenVINO) -> None:
    done = await model.generate(ask("a <|im_end|> b \ud83d \0 é", max_tokens=3, stop=("\udc00",)))
    assert done.completion_tokens == 3


# What is refused.


async def test_a_prompt_longer_than_the_context(model: OpenVINO) -> None:
    with pytest.raises(RequestRefused, match=r"has \d+ tokens, and smol takes 8192"):
        await model.generate(ask("word " * 9000))


async def test_settings_that_the_engine_refuses_harm_nobody_else(model: OpenVINO) -> None:
    good, bad = await asyncio.gather(
        model.generate(ask()), model.generate(ask(top_p=-1.0)), return_exceptions=True
    )
    assert isinstance(good, Completion)
    assert isinstance(bad, ModelError)


def test_nothing_is_reported_to_google(model: OpenVINO) -> None:
    assert "openvino_genai" in sys.modules
    assert "openvino_telemetry" not in sys.modules


# Cancelling, event loops, closing.


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The engine itself, in this process. Each test has prompts of its own, and leaves it idle."""
    metadata = tmp_path_factory.mktemp("bare") / "tokenizer.gguf"
    metadata.write_bytes(metadata_only(Path(GGUF), read_header(Path(GGUF))))
    return _load(Setup(GGUF, str(metadata), 8, 64, {"KV_CACHE_PRECISION": "f16"}))


@needs_file
@needs_extra
def test_one_sample_pays_for_its_prompt_and_the_others_for_its_last_token(bare: Engine) -> None:
    """At the engine itself, since from outside nobody knows who came before a leader was through.

    Prompts end in the middle of a block, with one, and just behind one.
    """
    for length, known in ((40, BLOCK), (64, BLOCK), (65, 2 * BLOCK)):
        prompt = tuple(range(length * 100, length * 101))
        for first in (0, known):  # anew, and from the cache
            for id in range(6):
                bare.add(Job(id, prompt, 2, 0.8, 1.0, id, (), False))
            done: list[Done] = []
            while bare.busy:
                done += bare.step().done
            cached = [each.cached for each in sorted(done, key=lambda each: each.id)]
            assert cached == [first] + [length - 1] * 5


@needs_file
@needs_extra
def test_cancelling_frees_the_slots_within_two_steps(bare: Engine) -> None:
    """At the engine itself, since from outside nobody knows which step a cancellation met."""
    prompt = tuple(range(1000, 1040))
    for id in range(8):
        bare.add(Job(id, prompt, 100, 0.8, 1.0, id, ("@@@",), False))
    while bare.step().metrics.requests < 8:
        pass
    for id in range(7):
        bare.cancel(id)
    bare.step()
    assert bare.step().metrics.requests == 1
    bare.cancel(7)
    bare.step()
    assert not bare.busy


async def test_cancelled_samples_leave_the_engine_to_the_others(model: OpenVINO) -> None:
    seen: list[int] = []
    long = [
        asyncio.ensure_future(
            model.generate(
                ask(max_tokens=4000, seed=s, stop=("@@@",)), lambda d: seen.append(d.tokens)
            )
        )
        for s in range(40)
    ]
    await settled(model, requests=32)
    kept = long.pop()
    for task in long:
        task.cancel()
    assert {*map(type, await asyncio.gather(*long, return_exceptions=True))} == {
        asyncio.CancelledError
    }
    await settled(model, requests=1)
    kept.cancel()
    await asyncio.gather(kept, return_exceptions=True)
    await settled(model, requests=0)


def test_event_loops_in_turn_and_at_once(model: OpenVINO) -> None:
    found: list[str] = []

    def run() -> None:
        found.extend(texts(asyncio.run(sample(model, range(6), text="Name a fruit."))))

    run()
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 18
    assert found[:6] == found[6:12] == found[12:]


@needs_file
@needs_extra
async def test_a_tiny_cache_and_closing() -> None:
    model = await asyncio.to_thread(load, GGUF, settings=TINY)
    with pytest.raises(RequestRefused, match="the engine's cache holds 256"):
        await model.generate(ask("word " * 300))
    # Three samples that outgrow it together take turns.
    many = await sample(model, range(3), text="Tell a long story.", max_tokens=150, stop=("@@@",))
    assert all(done.completion_tokens for done in many)
    running = asyncio.gather(
        *(model.generate(ask(max_tokens=200, seed=s)) for s in range(3)), return_exceptions=True
    )
    await settled(model, requests=3)
    await model.close()
    await model.close()
    assert {*map(str, await running)} == {"the model has been closed."}
    assert model.metrics().requests == 0
    assert model._loaded.process._child.returncode is not None
    with pytest.raises(ModelError, match="closed"):
        await model.generate(ask())


# Files and settings: no engine needed.


def test_a_header_says_size_and_context(tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "x.gguf"))
    assert header.shape == Shape(parameters=647, attention=2 * 64)
    assert (header.context, header.cached_values) == (4096, 2 * 2 * 2 * 16)
    key_length = {"llama.attention.key_length": 32}
    assert (
        read_header(write_gguf(tmp_path / "x.gguf", fields=key_length)).shape.attention
        == 2 * 4 * 32
    )


def test_a_table_that_is_looked_up_costs_no_flops() -> None:
    tensors = {"token_embd.weight": ("F16", 100, 2), "blk.0.ffn_up.weight": ("F16", 30, 2)}
    tied = Header({}, tensors, 0)
    assert tied.shape.parameters == 130  # one matrix, looked up and multiplied with
    untied = Header({}, {**tensors, "output.weight": ("F16", 100, 2)}, 0)
    assert untied.shape.parameters == 130


def test_metadata_only_is_a_file_without_tensors(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "x.gguf")
    (tmp_path / "y.gguf").write_bytes(metadata_only(path, read_header(path)))
    header = read_header(tmp_path / "y.gguf")
    assert header.fields == read_header(path).fields
    assert not header.tensors


@needs_file
def test_the_header_of_smollm2() -> None:
    header = read_header(Path(GGUF))
    assert header.shape == Shape(parameters=134_515_008, attention=30 * 9 * 64)
    assert (header.architecture, header.context) == ("llama", 8192)
    assert can_load(Path(GGUF)) is None


@pytest.mark.parametrize(
    ("fields", "kinds", "reason"),
    [
        ({}, (8, 0), None),
        ({}, (14, 1), None),
        ({"general.architecture": "mamba"}, (8, 0), "architecture 'mamba'"),
        ({}, (6, 0), "tensors of type Q5_0, which"),
        ({}, (0, 0), "tensors of type F32, which"),  # as a norm yes, as a matrix no
        ({}, (30, 99), "tensors of type BF16, number 99, which"),
        ({"tokenizer.ggml.model": "llama"}, (8, 0), "byte-pair"),
        ({"llama.rope.scaling.type": "yarn"}, (8, 0), "rotary"),
    ],
)
def test_can_load(
    tmp_path: Path, fields: dict[str, Any], kinds: tuple[int, int], reason: str | None
) -> None:
    said = can_load(write_gguf(tmp_path / "x.gguf", fields=fields, kinds=kinds))
    assert said is None if reason is None else said and reason in said


@pytest.mark.parametrize("size", [0, 3, 20, 50, 200, 500])
def test_broken_files(tmp_path: Path, size: int) -> None:
    path = write_gguf(tmp_path / "x.gguf")
    path.write_bytes(path.read_bytes()[:size])
    assert can_load(path) == f"{path} is not a whole GGUF file"


@needs_extra
def test_loading_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be loaded: cannot read .*No such file"):
        load(tmp_path / "absent.gguf")
    with pytest.raises(UsageError, match="Q5_0"):
        load(write_gguf(tmp_path / "x.gguf", kinds=(6, 0)))
    with pytest.raises(ModelError, match=r"OpenVINO cannot load x\.gguf"):
        load(write_gguf(tmp_path / "x.gguf"))  # no weights behind the header


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ponder\[local\]"):
        load("x.gguf")


def test_blocks_are_known_by_all_that_is_before_them() -> None:
    blocks = Blocks(4)
    one, two = range(BLOCK * 2), range(1, BLOCK * 2 + 1)
    assert blocks.cached(one) == 0
    blocks.add(range(BLOCK * 2 + 5))
    assert blocks.cached(one) == BLOCK * 2
    assert blocks.cached(range(BLOCK * 9)) == BLOCK * 2
    assert blocks.cached(range(BLOCK - 1)) == 0
    assert blocks.cached(two) == 0
    blocks.add(two)
    blocks.add(range(BLOCK))  # used again: the second block of `one` is now the oldest
    blocks.add([7] * BLOCK)
    assert blocks.cached(one) == BLOCK
    assert blocks.cached(two) == BLOCK * 2


@pytest.mark.parametrize(
    ("length", "cached", "ends"),
    [
        (1, 0, [1]),
        (32, 0, [32]),
        (33, 0, [32, 33]),
        (100, 96, [100]),
        (1100, 0, [512, 1024, 1088, 1100]),
        (1100, 512, [1024, 1088, 1100]),
        (1024, 0, [512, 992, 1024]),
        (1025, 1024, [1025]),
    ],
)
def test_pieces_of_a_prompt(length: int, cached: int, ends: list[int]) -> None:
    assert pieces(length, cached) == ends


def test_settings_from_a_table() -> None:
    assert Settings.read({"slots": 8, "cache_gb": 2}) == Settings(slots=8, cache_gb=2.0)
    with pytest.raises(UnknownName, match="did you mean 'slots'"):
        Settings.read({"slot": 8})
    for table in ({"slots": "8"}, {"slots": True}, {"slots": 0}, {"threads": -1}):
        with pytest.raises(UsageError, match="engine: "):
            Settings.read(table)
    for table in ({"kv_precision": "u4"}, {"precision": "int8"}):
        with pytest.raises(UnknownName):
            Settings.read(table)


def test_the_machine() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
    assert free_memory() > 0

"""llama.cpp in its child process. Needs a model: PONDER_TEST_GGUF=/path/to/small.gguf."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ponder.core.errors import MissingExtra, RequestRefused, UsageError
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Request
from ponder.models.llamacpp import LlamaCpp, open_llamacpp
from tests.support.deltas import booking

GGUF = os.environ.get("PONDER_TEST_GGUF", "")
ASK = (Message("user", "What is 2 + 2? Ünïcode <|im_end|>"),)
needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
)
needs_model = pytest.mark.skipif(not GGUF, reason="PONDER_TEST_GGUF names no model to test with")


@pytest.fixture
def model(small_llamacpp: LlamaCpp) -> LlamaCpp:
    return small_llamacpp


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ponder\[llamacpp\]"):
        open_llamacpp("x.gguf")


@needs_extra
@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"zip", "not a GGUF"), (b"GGUF!", "cannot load")]
)
def test_files_that_are_no_model(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "x.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=why):
        open_llamacpp(path)


@needs_extra
@needs_model
async def test_one_sample(model: LlamaCpp) -> None:
    info = model.info
    assert info.capabilities == {"prefill", "logprobs", "top_logprobs", "seed", "stop"}
    assert info.local
    assert info.context == 1536
    assert info.shape.parameters > 10**6
    for prefix in ("", "The answer is"):
        seen: list[tuple[int, int]] = []
        request = Request(ASK, 8, prefix, seed=1, logprobs=True, pieces=True)
        completion = await model.generate(request, booking(seen))
        assert completion.prompt_tokens == model.prompt_bound(ASK, prefix)
        assert completion.text
        assert not completion.text.startswith("The answer is")
        assert completion.logprobs
        assert all(value <= 0 for value in completion.logprobs)
        assert b"".join(completion.pieces or ()).decode() == completion.text
        if completion.finish == "length":
            assert len(completion.logprobs) == completion.completion_tokens == 8
        assert seen[0] == (completion.prompt_tokens, 0)
        assert seen[-1] == (completion.prompt_tokens, completion.completion_tokens)


@needs_extra
@needs_model
async def test_alternatives_at_each_place(model: LlamaCpp) -> None:
    done = await model.generate(Request(ASK, 2, temperature=0.0, logprobs=True, top_logprobs=5))
    assert done.top is not None
    assert done.logprobs is not None
    assert all(len(place) == 5 for place in done.top)
    for place, drawn in zip(done.top, done.logprobs, strict=True):
        assert max(place.values()) == drawn  # greedy: the likeliest


@needs_extra
@needs_model
async def test_greedy_samples_agree_and_more_than_the_slots_get_their_turn(
    model: LlamaCpp,
) -> None:
    request = Request(ASK, 6, temperature=0.0)
    completions = await asyncio.gather(*(model.generate(request) for _ in range(5)))
    assert len({completion.text for completion in completions}) == 1


@needs_extra
@needs_model
async def test_cancelling_frees_the_slot(model: LlamaCpp) -> None:
    started = asyncio.Event()

    def progress(delta: Delta) -> None:
        if delta.tokens >= 2:
            started.set()

    # So hot that no sample ends by itself.
    task = asyncio.create_task(model.generate(Request(ASK, 400, temperature=5.0), progress))
    await started.wait()
    task.cancel()
    await asyncio.wait([task])
    async with asyncio.timeout(600):
        while True:
            slots = await asyncio.to_thread(model._call, "GET", "/slots")
            if not any(slot["is_processing"] for slot in slots):
                break


@needs_extra
@needs_model
async def test_a_prompt_beyond_the_context_is_refused(model: LlamaCpp) -> None:
    with pytest.raises(RequestRefused, match="context"):
        await model.generate(Request((Message("user", "word " * 1600),), 8))


@needs_extra
@needs_model
async def test_close_ends_the_child_and_may_be_repeated() -> None:
    opened = open_llamacpp(GGUF, slots=1, threads=1, context=64)
    assert isinstance(opened, LlamaCpp)
    await opened.close()
    await opened.close()
    assert opened._child.returncode is not None
    assert opened.prompt_bound(ASK) > len(ASK[0].content)  # a bound still, if not exact


@needs_extra
@needs_model
def test_the_child_dies_with_its_parent() -> None:
    code = (
        "import os; from ponder.models.llamacpp import open_llamacpp;"
        f"m = open_llamacpp({GGUF!r}, slots=1, threads=1, context=64);"
        "print(m._child.pid, flush=True);"
        "os._exit(1)"
    )
    parent = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
    child = Path(f"/proc/{int(parent.stdout)}")
    while child.exists() and "Z" not in (child / "stat").read_text().split()[2]:
        pass

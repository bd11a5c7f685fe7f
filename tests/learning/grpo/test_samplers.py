"""The models that sample: whose weights, and since when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import ModelError, UsageError
from ponder.core.problem import Message, Problem
from ponder.learning.grpo.recording import Record
from ponder.learning.grpo.settings import Settings
from ponder.models.fakes.scripted import Scripted
from ponder.models.opening import Opened
from tests.support.letters import tiny

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from ponder.learning.grpo import samplers  # noqa: E402
from ponder.learning.grpo.policy import Policy  # noqa: E402
from ponder.learning.grpo.samplers import Embedded, OnPolicy  # noqa: E402
from ponder.learning.grpo.sampling import draw  # noqa: E402

PROBLEM = Problem((Message("user", "ab"),), "text")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were opened."""
    found: list[str] = []

    async def open_model(path: str, *_: Any) -> Opened:
        found.append(path.rpartition("/")[2])
        return Opened(Scripted(["a"]))

    monkeypatch.setattr(samplers, "open_model", open_model)
    return found


def save(model: Any, path: Path) -> None:
    assert type(model).__name__ == "LlamaForCausalLM"
    path.write_text("weights")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.gguf"))


def test_the_engine_gets_the_weights_when_it_is_time(tmp_path: Path, opened: list[str]) -> None:
    async def steps() -> None:
        one = Embedded(Policy(*tiny()), save, tmp_path, 3)
        for step in range(8):
            one.keep(step, True)
            assert await one.model(step) is await one.model(step)
        await one.close()

    asyncio.run(steps())
    assert opened == [f"sampler-{step:06}.gguf" for step in (0, 3, 6)]
    assert names(tmp_path) == ["sampler-000006.gguf"]


def test_a_run_that_is_resumed_between_two_times_samples_with_the_weights_of_the_last(
    tmp_path: Path, opened: list[str]
) -> None:
    (tmp_path / "sampler-000003.gguf").write_text("weights")
    one = Embedded(Policy(*tiny()), lambda *_: pytest.fail("written again"), tmp_path, 3)
    one.keep(4, True)
    asyncio.run(one.model(4))
    assert opened == ["sampler-000003.gguf"]
    one.keep(3, True)  # it is there
    one.keep(6, False)  # all samples up to the next time are there
    with pytest.raises(UsageError, match=r"sampler-000006.gguf, the weights that sample at step 8"):
        asyncio.run(one.model(7))


def drawn(tmp_path: Path, asked: Sequence[Problem], **wanted: Any) -> Record:
    policy = Policy(*tiny())
    record = Record.read(tmp_path / "step")
    settings = Settings(group=2, max_tokens=4, **wanted)
    asyncio.run(draw(record, OnPolicy(policy), 0, asked, policy, settings))
    return record


def test_only_missing_samples_are_drawn_and_they_are_the_same(tmp_path: Path) -> None:
    whole = drawn(tmp_path, [PROBLEM] * 6)
    assert Record.read(tmp_path / "step") == whole
    lines = (tmp_path / "step").read_bytes().splitlines(keepends=True)
    (tmp_path / "step").write_bytes(b"".join(lines[1:4]))
    again = drawn(tmp_path, [PROBLEM] * 6)
    assert again.samples == whole.samples
    assert sorted((tmp_path / "step").read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_a_sampler_that_reads_the_prompt_otherwise_is_refused(tmp_path: Path) -> None:
    class Other(OnPolicy):
        async def model(self, step: int) -> Scripted:
            return Scripted(["a b c"] * 2)

    policy = Policy(*tiny())
    with pytest.raises(ModelError, match=r"in the sampler and 3 in the trainer.*--sampler policy"):
        asyncio.run(
            draw(Record(tmp_path / "step"), Other(policy), 0, [PROBLEM], policy, Settings())
        )

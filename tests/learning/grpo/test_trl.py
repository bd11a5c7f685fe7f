"""The same advantages and the same loss as those of TRL's trainer, on one small batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ponder.learning.grpo.objective import Bounds, Loss, advantages, divisors, loss, scale_of
from tests.support.letters import tiny

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
# TRL 1.16 itself uses names that transformers 5 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")

MOST = 4
PROMPTS = ["ab", "c"]
REPLIES = [[1, 2, 3], [4, 0], [5, 6, 7, 8], [2], [1, 1, 0], [3, 3]]
REWARDS = [1.0, 0.0, None, 0.25, 1.0, 1.0]
GROUPS = [REWARDS[:3], REWARDS[3:]]
SCORED = [i for i, reward in enumerate(REWARDS) if reward is not None]
GENERATED = {"prompt_ids", "prompt_mask", "completion_ids", "completion_mask"}


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """TRL's trainer on a CPU, whose completions and rewards are those above."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    model, tokenizer = tiny()

    def rollout(prompts: list[str], _: Any) -> dict[str, Any]:
        ids = [tokenizer(prompt)["input_ids"] for prompt in prompts]
        chances = [[-1.0] * len(reply) for reply in REPLIES]
        return {"prompt_ids": ids, "completion_ids": REPLIES, "logprobs": chances}

    def reward(**columns: Any) -> list[float | None]:
        return REWARDS

    folder: Path = tmp_path_factory.mktemp("trl")
    with mock.patch.dict(os.environ, {"TRL_EXPERIMENTAL_SILENCE": "1"}):
        yield GRPOTrainer(
            model,
            reward,
            GRPOConfig(
                str(folder),
                per_device_train_batch_size=6,
                num_generations=3,
                max_completion_length=MOST,
                epsilon_high=0.28,
                use_cpu=True,
                bf16=False,
                report_to="none",
                gradient_checkpointing=False,
                disable_dropout=True,
            ),
            Dataset.from_dict({"prompt": PROMPTS}),
            processing_class=tokenizer,
            rollout_func=rollout,
        )


def generated(trainer: Any) -> dict[str, Any]:
    trainer.model.train()
    rows = [{"prompt": prompt} for prompt in PROMPTS for _ in range(3)]
    found: dict[str, Any] = trainer._generate_and_score_completions(rows)
    return found


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo"])
def test_advantages_are_those_of_trl(trainer: Any, kind: Loss) -> None:
    trainer.scale_rewards = "none" if kind == "dr_grpo" else "group"
    ours = [a or 0.0 for group in advantages(GROUPS, scale_of(kind)) for a in group]
    theirs = generated(trainer)["advantages"].tolist()
    # TRL adds 1e-4 to a deviation, which is here 0.7 at the first prompt and 0.4 at the second.
    assert theirs == pytest.approx(ours, rel=3e-4, abs=1e-7)
    assert theirs[2] == 0  # an abstention
    if kind == "dr_grpo":
        assert theirs == pytest.approx(ours, rel=1e-6)


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "dapo", "bnpo"])
def test_the_loss_and_its_gradient_are_those_of_trl(trainer: Any, kind: str) -> None:
    """All but ``bnpo`` by their name; that one is ``dapo`` where the batch is not split."""
    ours: Loss = "dapo" if kind == "bnpo" else kind  # type: ignore[assignment]
    trainer.loss_type, trainer.scale_rewards = kind, "none"
    trainer.current_gradient_accumulation_steps = trainer.args.steps_per_generation = 1
    batch = {name: value[SCORED] for name, value in generated(trainer).items() if value.dim()}
    mask = batch["completion_mask"].float()
    lengths = [len(REPLIES[i]) for i in SCORED]
    batch["num_items_in_batch"] = mask.sum()
    prompt = batch["prompt_ids"].size(1)

    def logprobs() -> Any:
        tokens = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
        seen = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
        logits = trainer.model(input_ids=tokens, attention_mask=seen).logits[:, prompt - 1 : -1]
        return logits.log_softmax(-1).gather(2, batch["completion_ids"].unsqueeze(2)).squeeze(2)

    # Off the policy, so that ratios are clipped on both sides; and weighted as samples of another.
    made = torch.Generator().manual_seed(1)
    now = logprobs().detach()
    old = now + 0.8 * torch.rand(now.shape, generator=made) - 0.4
    sampled = old + 2 * torch.rand(now.shape, generator=made) - 1
    weight = ((old - sampled) * mask).exp().clamp(max=2)
    batch |= {"old_per_token_logps": old, "importance_sampling_ratio": weight}
    with mock.patch.object(trainer, "use_vllm", True):  # elsewhere TRL does not weight
        theirs = trainer._compute_loss(trainer.model, batch)
    own = loss(
        logprobs(),
        old,
        sampled,
        batch["advantages"],
        torch.tensor(divisors(lengths, ours, MOST)),
        mask,
        Bounds(),
    )
    assert own.item() == pytest.approx(theirs.item(), rel=1e-5)
    weights = list(trainer.model.parameters())
    for a, b in zip(
        torch.autograd.grad(own, weights), torch.autograd.grad(theirs, weights), strict=True
    ):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-7)
    assert (now - old).abs().max() > 0.28  # or nothing would be clipped

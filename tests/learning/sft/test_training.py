"""Trainings of a tiny model: a few steps, for real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import PonderError, UsageError
from ponder.learning.sft.data import Example
from ponder.learning.sft.outcome import Trained
from ponder.learning.sft.settings import Settings, rate, steps
from tests.support import tiny

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.skipif(not find_spec("peft"), reason="the extra train is not installed"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning"),
]


def train(
    folder: Path,
    model: Any,
    examples: list[Example],
    settings: Settings = tiny.SETTINGS,
    held_out: list[Example] | None = None,
    tell: Callable[[int, int, int, float], None] = lambda done, of, resumed, loss: None,
) -> Trained:
    from ponder.learning.sft.training import Training

    return Training(model, examples, settings, folder, held_out or [], tell, pause=0).run()


def loss_by_hand(model: Any, example: Example) -> Any:
    """The summed loss of the completion by transformers' own loss, one row alone, all logits."""
    import torch

    labels = [-100] * example.start + [*example.tokens[example.start :]]
    ids = torch.tensor([example.tokens])
    found = model(input_ids=ids, labels=torch.tensor([labels]))
    return found.loss * (len(example.tokens) - example.start)


def learned(examples: list[Example]) -> int:
    return sum(len(one.tokens) - one.start for one in examples)


def test_the_losses_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    import peft
    import torch

    examples, model = tiny.examples(), tiny.model()
    found = train(tmp_path, model, examples, held_out=examples[:2])

    plan = steps([len(one.tokens) for one in examples], tiny.SETTINGS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(tiny.SETTINGS.seed)
        other = peft.get_peft_model(
            tiny.model(),
            peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
    parameters = [p for p in other.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.0)
    losses = []
    for number, step in enumerate(plan):
        taken = [examples[row] for row in step]
        loss = sum(loss_by_hand(other, one) for one in taken) / learned(taken)
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.param_groups[0]["lr"] = rate(number, len(plan), tiny.SETTINGS.rate)
        optimizer.step()
        optimizer.zero_grad()
    assert [step.loss for step in found.log] == pytest.approx(losses, rel=1e-4)
    assert losses[-1] < losses[0] - 0.1

    with torch.no_grad():  # adapters change nothing before the first step
        base = tiny.model()
        before = sum(loss_by_hand(base, one).item() for one in examples[:2])
        after = sum(loss_by_hand(model, one).item() for one in examples[:2])
    assert found.before == pytest.approx(before / learned(examples[:2]), rel=1e-5)
    assert found.after == pytest.approx(after / learned(examples[:2]), rel=1e-4)
    assert found.adapters == sum(p.numel() for p in parameters)
    assert found.shape.attention == 2 * 32
    log = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [*range(1, len(plan) + 1)]

    # Merged weights are W + alpha / rank B A.
    held = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["adapters"]
    start = "base_model.model."
    weights, old = model.state_dict(), base.state_dict()
    for name in old:
        a = held.get(f"{start}{name.removesuffix('.weight')}.lora_A.default.weight")
        b = held.get(f"{start}{name.removesuffix('.weight')}.lora_B.default.weight")
        change = 2.0 * b @ a if a is not None else torch.zeros(1)
        assert torch.allclose(weights[name], old[name] + change, atol=1e-6), name
    assert len(held) == 2 * 2 * 7, "seven matrices in each of two layers have adapters"


def test_another_training_is_refused_and_a_finished_one_is_not_made_again(tmp_path: Path) -> None:
    import torch

    examples = tiny.examples(3)
    settings = replace(tiny.SETTINGS, epochs=1)
    first, told = tiny.model(), []
    train(tmp_path, first, examples, settings)
    second = tiny.model()
    train(tmp_path, second, examples, settings, tell=lambda *step: told.append(step))
    assert [step[:3] for step in told] == [(1, 1, 1)]
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    with pytest.raises(UsageError, match="of a training on other rows or with other settings"):
        train(tmp_path, tiny.model(), examples[:2], settings)


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    import torch

    model = tiny.model()
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(PonderError, match="the loss of step 1 is nan: try a lower learning rate"):
        train(tmp_path, model, tiny.examples(2))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.tiny_killed", str(tmp_path)],
        cwd=ROOT,
        check=True,
        timeout=600,
    )
    found = json.loads((tmp_path / "found.json").read_text())
    whole, killed, resumed = found["whole"], found["killed"], found["resumed"]
    assert whole[:2] == [0, [0, 1, 2, 3, 4, 5, 6]]
    assert (killed[0], killed[2]) == (9, "")
    assert resumed[1][0] >= 3, "a checkpoint was made before the step was told of"
    assert resumed[1] == [*range(resumed[1][0], 7)]
    assert (resumed[0], resumed[2]) == (0, whole[2])
    logs = [tmp_path / name / "log.jsonl" for name in ("whole", "killed")]
    losses = [[json.loads(line)["loss"] for line in log.read_text().splitlines()] for log in logs]
    assert losses[0] == losses[1]

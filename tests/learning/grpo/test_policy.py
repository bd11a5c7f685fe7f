"""The policy: its log-probabilities, its samples, its state, its merged weights."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from ponder.core.errors import RequestRefused, UsageError
from ponder.core.problem import Message
from ponder.learning.grpo.recording import Sample
from ponder.models.base import Completion, Request
from tests.support.letters import tiny

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from ponder.learning.grpo.policy import Policy, PolicyModel  # noqa: E402

ASKED = (Message("user", "ab"),)


@pytest.fixture
def policy() -> Policy:
    return Policy(*tiny())


def drawn(policy: Policy, **wanted: Any) -> Completion:
    asked = Request(ASKED, 6, **{"temperature": 1.0, "logprobs": True, "pieces": True, **wanted})
    return asyncio.run(PolicyModel(policy).generate(asked))


def test_a_row_has_the_same_log_probabilities_alone_and_beside_others(policy: Policy) -> None:
    rows = [
        Sample(0, "", [1, 2], [3, 4, 0], []),
        Sample(1, "", [5, 6, 7, 8], [2], []),
        Sample(2, "", [9], [1, 1, 1, 1, 1], []),
    ]
    both = policy.logprobs(rows)
    assert both.shape == (3, 5)
    for row, found in zip(rows, both, strict=True):
        ids = torch.tensor([[*row.prompt, *row.tokens]])
        chances = policy.model(input_ids=ids).logits[0].log_softmax(-1)
        told = [chances[len(row.prompt) - 1 + i, token] for i, token in enumerate(row.tokens)]
        assert found[: len(told)].tolist() == pytest.approx([c.item() for c in told], abs=1e-5)
        assert not found[len(told) :].any()


def test_a_sample_has_the_tokens_and_log_probabilities_that_the_policy_learns(
    policy: Policy,
) -> None:
    prompt = policy.prompt(ASKED)
    seen = set()
    for seed in range(10):
        made = drawn(policy, seed=seed)
        tokens = policy.tokens(made)
        assert made.prompt_tokens == len(prompt)
        assert len(tokens) == made.completion_tokens
        assert (tokens[-1] == policy.tokenizer.eos_token_id) == (made.finish == "stop")
        [known] = policy.logprobs([Sample(0, "", prompt, tokens, [])]).tolist()
        assert list(made.logprobs or ()) == pytest.approx(known, abs=1e-5)
        seen.add(made.finish)
    assert seen == {"stop", "length"}
    assert drawn(policy, seed=3) == drawn(policy, seed=3)
    assert len({drawn(policy, seed=seed, temperature=0.0).text for seed in range(3)}) == 1


def test_samples_come_as_often_as_the_policy_says(policy: Policy) -> None:
    """The first token of 60 samples is 3 within four standard errors of its probability."""
    model, number = PolicyModel(policy), 60
    [[chance]] = policy.logprobs([Sample(0, "", policy.prompt(ASKED), [3], [])]).exp().tolist()

    async def count() -> int:
        found = 0
        for seed in range(number):
            asked = Request(ASKED, 1, temperature=1.0, seed=seed, logprobs=True, pieces=True)
            found += policy.tokens(await model.generate(asked)) == [3]
        return found

    off = asyncio.run(count()) / number - chance
    assert abs(off) < 4 * math.sqrt(chance * (1 - chance) / number)


def test_tokens_that_are_not_known_are_none(policy: Policy) -> None:
    known = Completion("ab", "stop", 1, 3, logprobs=(-1.0,) * 3, pieces=(b"a", b"b", b""))
    assert policy.tokens(known) == [1, 2, 0]
    for unknown in (
        Completion("ab", "length", 1, 3, logprobs=(-1.0,) * 3, pieces=(b"a", b"b", b"")),
        Completion("ab", "stop", 1, 3, logprobs=(-1.0,) * 3, pieces=(b"a", b"", b"b")),
        Completion("ab", "stop", 1, 3, logprobs=(-1.0,) * 3),
        Completion("ab", "stop", 1, 3, logprobs=(-1.0,) * 3, pieces=(b"a", b"?", b"")),
        Completion("ab", "stop", 1, 3),
    ):
        assert policy.tokens(unknown) == []


def test_what_the_policy_cannot_do_is_refused(policy: Policy) -> None:
    for wanted in ({"top_p": 0.5}, {"stop": ("a",)}, {"prefix": "a"}):
        with pytest.raises(RequestRefused, match="whole distribution"):
            drawn(policy, **wanted)
    long = Request((Message("user", "a" * 256),), 1)
    with pytest.raises(RequestRefused, match="257 tokens"):
        asyncio.run(PolicyModel(policy).generate(long))


@pytest.mark.parametrize("rank", [0, 2])
def test_the_state_is_taken_over_and_damage_is_refused(rank: int) -> None:
    one, other = Policy(*tiny(), rank=rank), Policy(*tiny(1), rank=rank, seed=1)
    kept = other.load(one.state(step=3), "here")
    assert kept["step"] == 3
    for name, weight in one.trained.items():
        assert torch.equal(weight, other.trained[name])
    for content in (b"", one.state()[:-300], Policy(*tiny(layers=1), rank=rank).state()):
        with pytest.raises(UsageError, match="here cannot be loaded: delete it"):
            one.load(content, "here")


def test_the_merged_model_says_the_same_and_the_policy_stays() -> None:
    policy = Policy(*tiny(), rank=2)
    with torch.no_grad():
        for weight in policy.trained.values():
            weight += 0.1
    rows = [Sample(0, "", [1, 2], [3, 4, 0], [])]
    before, names = policy.logprobs(rows), set(policy.trained)
    merged = policy.merged()
    assert type(merged).__name__ == "LlamaForCausalLM"
    again = Policy(merged.requires_grad_(True), policy.tokenizer)
    assert torch.allclose(again.logprobs(rows), before, atol=1e-5)
    assert not torch.allclose(Policy(*tiny()).logprobs(rows), before, atol=1e-2)
    assert torch.equal(policy.logprobs(rows), before)
    assert set(policy.trained) == names
    assert not any("lora" in name for name in again.trained)

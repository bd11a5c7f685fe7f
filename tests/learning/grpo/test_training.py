"""Training on a toy task: a tiny model learns to say 'a'. Its expected reward is known exactly."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem
from ponder.learning.grpo.objective import Bounds, loss
from ponder.learning.grpo.recording import Record, Sample
from ponder.learning.grpo.settings import Settings
from tests.support.letters import tiny

torch = pytest.importorskip("torch")
pytest.importorskip("peft")


from ponder.learning.grpo.crew import Alone  # noqa: E402
from ponder.learning.grpo.folder import Folder  # noqa: E402
from ponder.learning.grpo.policy import Policy, PolicyModel  # noqa: E402
from ponder.learning.grpo.samplers import OnPolicy  # noqa: E402
from ponder.learning.grpo.training import (  # noqa: E402
    Lesson,
    Step,
    Trainer,
    lessons_of,
    sampling_flops,
    training_flops,
)

A, END, VOCABULARY, LENGTH = 1, 0, 13, 2
PROBLEMS = [Problem((Message("user", text),), "text") for text in ("b", "cd", "ef")]
SETTINGS = Settings(
    steps=4, prompts=2, group=4, max_tokens=LENGTH, rate=0.01, rank=0, refresh=1, save=2
)


def says_a(problems: Sequence[str], texts: Sequence[str]) -> list[float | None]:
    return [float("a" in text) for text in texts]


def every(policy: Policy) -> list[Sample]:
    """Every completion of two tokens there is, to the first problem."""
    prompt = policy.prompt(PROBLEMS[0].shown)
    ids = [[END], *([a, b] for a in range(1, VOCABULARY) for b in range(VOCABULARY))]
    return [Sample(i, "", prompt, tokens, [0.0] * len(tokens)) for i, tokens in enumerate(ids)]


def expected(policy: Policy) -> Any:
    """The expected reward, exactly."""
    rows = every(policy)
    chances = policy.logprobs(rows).sum(1).exp()
    assert chances.sum().item() == pytest.approx(1, abs=1e-5)
    return chances @ torch.tensor([float(A in row.tokens) for row in rows])


def test_the_expected_reward_rises_at_each_step_of_the_exact_gradient() -> None:
    policy = Policy(*tiny())
    rows, trained = every(policy), list(policy.trained.values())
    reward = torch.tensor([float(A in row.tokens) for row in rows])
    mask = torch.tensor([[1.0] * len(row.tokens) + [0.0] * (2 - len(row.tokens)) for row in rows])
    curve = []
    for _ in range(5):
        value = expected(policy)
        curve.append(value.item())
        new = policy.logprobs(rows)
        old = new.detach()
        advantage = old.sum(1).exp() * (reward - curve[-1])  # each completion as often as it is
        own = loss(new, old, old, advantage, torch.ones(len(rows)), mask, Bounds())
        found = torch.autograd.grad(own, trained)
        for mine, exact in zip(found, torch.autograd.grad(value, trained), strict=True):
            assert torch.allclose(mine, -exact, atol=1e-6)
        with torch.no_grad():
            for parameter, slope in zip(trained, found, strict=True):
                parameter -= 0.3 * slope
    assert all(a < b for a, b in itertools.pairwise(curve))


def trainer(
    folder: Path,
    settings: Settings = SETTINGS,
    scores: Callable[[Sequence[str], Sequence[str]], list[float | None]] = says_a,
) -> Trainer:
    (folder / "steps").mkdir(parents=True, exist_ok=True)
    policy = Policy(*tiny(), rank=settings.rank, seed=settings.seed)
    return Trainer(Folder(folder), settings, PROBLEMS, scores, policy, OnPolicy(policy), Alone())


def weights_of(one: Trainer) -> list[Any]:
    return [weight.detach().clone() for weight in one.policy.trained.values()]


def same(a: Trainer, b: Trainer) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights_of(a), weights_of(b), strict=True))


@pytest.mark.parametrize(("rank", "rate"), [(0, 0.01), (4, 0.03)])
def test_sampled_gradients_raise_the_expected_reward(
    tmp_path: Path, rank: int, rate: float
) -> None:
    wanted = replace(SETTINGS, steps=12, group=8, prompts=3, rank=rank, rate=rate)
    one = trainer(tmp_path, wanted)
    before = expected(one.policy).item()
    curve = one.run()
    assert expected(one.policy).item() > 1.5 * before
    assert [step.step for step in curve] == list(range(1, 13))
    for step in curve:
        assert step.samples == 24
        assert step.weight is None or step.weight == pytest.approx(1, abs=1e-4)  # on the policy


def test_no_result_depends_on_the_batch_but_by_rounding(tmp_path: Path) -> None:
    one, other = (trainer(tmp_path / str(n), replace(SETTINGS, batch=n, steps=1)) for n in (1, 8))
    one.run()
    other.run()
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


class Stop(BaseException):
    """Ends a run as a kill does: nothing catches it."""


def test_a_run_that_ends_among_its_samples_draws_none_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, count, ends = trainer(tmp_path / "whole"), 0, [3, 12, 20, 29]  # of 32 samples
    curve = whole.run()
    original = PolicyModel.generate

    async def generate(self: PolicyModel, *args: Any, **more: Any) -> Any:
        nonlocal count
        if count in ends:
            ends.remove(count)
            raise Stop
        count += 1
        return await original(self, *args, **more)

    monkeypatch.setattr(PolicyModel, "generate", generate)
    for _ in range(4):
        with pytest.raises(Stop):
            trainer(tmp_path / "broken").run()
    last = trainer(tmp_path / "broken")
    assert last.run() == curve
    assert same(whole, last)
    assert count == 32


def test_a_run_that_ends_while_it_scores_or_reports_draws_nothing_twice(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    curve = whole.run()
    asked = 0

    def scores(problems: Sequence[str], texts: Sequence[str]) -> list[float | None]:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise Stop
        return says_a(problems, texts)

    def report(step: Step, before: int) -> None:
        if step.step == 3:  # the weights were written after step 2
            raise Stop

    with pytest.raises(Stop):
        trainer(tmp_path / "broken", scores=scores).run()
    with pytest.raises(Stop):
        trainer(tmp_path / "broken", scores=scores).run(report)
    seen: list[int] = []
    last = trainer(tmp_path / "broken", scores=scores)
    last.run(lambda step, before: seen.append(before))
    assert (same(whole, last), seen, asked) == (True, [2, 2], 5)  # 4 steps, and the broken one
    again = trainer(tmp_path / "broken", scores=scores)
    assert again.run() == curve
    assert asked == 5


class Pair:
    """One of two processes that train together, as threads."""

    size, device = 2, "cpu"

    def __init__(self, rank: int, barrier: threading.Barrier, shared: list[Any]) -> None:
        self.rank, self._barrier, self._shared = rank, barrier, shared

    def wait(self) -> None:
        self._barrier.wait()

    def add(self, tensors: Sequence[Any]) -> None:
        self._shared[self.rank] = [tensor.clone() for tensor in tensors]
        self._barrier.wait()
        for tensor, *parts in zip(tensors, *self._shared, strict=True):
            tensor.copy_(sum(parts))
        self._barrier.wait()

    def close(self) -> None:
        pass


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    alone, barrier = trainer(tmp_path / "alone"), threading.Barrier(2)
    shared: list[Any] = [None, None]
    pair = [trainer(tmp_path / "pair") for _ in range(2)]
    for rank, one in enumerate(pair):
        one.crew = Pair(rank, barrier, shared)
    with ThreadPoolExecutor(2) as threads:
        curves = [done.result() for done in [threads.submit(one.run) for one in pair]]
    assert curves[0] == curves[1]
    assert same(*pair)
    for found, known in zip(curves[0], alone.run(), strict=True):
        assert (found.reward, found.trained) == (known.reward, known.trained)
        assert found.norm == pytest.approx(known.norm, rel=1e-3)
    for a, b in zip(weights_of(alone), weights_of(pair[0]), strict=True):
        assert torch.allclose(a, b, atol=1e-3)


def test_abstentions_and_unknown_tokens_take_no_part() -> None:
    samples = [Sample(i, "", [1] * 5, [2] * n, []) for i, n in enumerate((1, 2, 3, 0, 4, 4))]
    lessons, equal = lessons_of(
        samples,
        [1.0, 0.0, None, 0.0, 1.0, 1.0],
        replace(SETTINGS, group=3, max_tokens=10),
    )
    # Of the first group two count, of the second two with equal rewards: 4 completions in all.
    assert [(one.sample.place, one.advantage, one.divisor) for one in lessons] == [
        (0, 0.5, 40.0),
        (1, -0.5, 40.0),
    ]
    assert equal == 1


def test_a_step_that_teaches_nothing_changes_nothing(tmp_path: Path) -> None:
    one = trainer(tmp_path, replace(SETTINGS, steps=1), lambda problems, texts: [1.0] * len(texts))
    before = weights_of(one)
    [step] = one.run()
    assert (step.equal, step.trained, step.norm, step.weight) == (2, 0, 0.0, None)
    assert step.flops[1] == 0
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(one), strict=True))


def test_a_verifier_that_abstains_from_everything_is_refused(tmp_path: Path) -> None:
    one = trainer(tmp_path, SETTINGS, lambda problems, texts: [None] * len(texts))
    with pytest.raises(UsageError, match="abstained from all 8 samples of the first step"):
        one.run()


def test_several_updates_are_held_back_by_the_bounds(tmp_path: Path) -> None:
    wanted, wide = replace(SETTINGS, steps=1, rate=0.002), Bounds(0.99, 1e9)
    found = []
    for name, changed in (("1", {}), ("9", {"updates": 9}), ("w", {"updates": 9, "bounds": wide})):
        one = trainer(tmp_path / name, replace(wanted, **changed))
        before = expected(one.policy).item()
        [step] = one.run()
        record = Record.read(tmp_path / name / "steps" / "000000.jsonl")
        lessons, _ = lessons_of(list(record.samples.values()), record.rewards or [], wanted)
        assert step.flops[1] == one.settings.updates * training_flops(one.policy, lessons)
        found.append(expected(one.policy).item() - before)
    once, bounded, free = found
    assert 0 < once < bounded < free


def test_the_cost_of_a_step_by_hand() -> None:
    policy = Policy(*tiny(), rank=2)
    # Two layers of 4 x 32 x 32 and 3 x 32 x 64, and the last of 32 x 13; heads of 32 in all.
    assert policy.shape.parameters == 2 * (4 * 32 * 32 + 3 * 32 * 64) + 32 * 13
    assert policy.shape.attention == 2 * 32
    samples = [Sample(i, "", [1, 2, 3], [4, 5], []) for i in range(2)]
    pairs, p, a = 5 * 4 // 2, policy.shape.parameters, policy.shape.attention
    both = 2 * p * 5 + 4 * a * pairs + 2 * p * 3 + 4 * a * (pairs - 1)
    assert sampling_flops(policy.shape, samples, 2) == both
    adapters = sum(weight.numel() for weight in policy.trained.values())
    [lesson] = [Lesson(samples[0], 1.0, 1.0)]
    assert training_flops(policy, [lesson]) == (4 * p + 6 * adapters) * 5 + 12 * a * pairs
    full = Policy(*tiny())
    assert training_flops(full, [lesson]) == 6 * p * 5 + 12 * a * pairs

"""The loop of policy gradients: sample, score, learn.

A loop of its own rather than TRL's ``GRPOTrainer`` (1.16) with its ``rollout_func``: that one
weights samples by the sampler's probabilities only where vLLM samples (``use_vllm``), so samples of
the embedded engine, which come from earlier and quantised weights, would count as if they were the
policy's own; an abstention stays in the divisors of its loss; and what a step sampled is not on the
disk before it is used. ``tests/learning/grpo/test_trl.py`` holds both to the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.learning import cost
from ponder.learning.grpo.crew import Crew
from ponder.learning.grpo.folder import Folder
from ponder.learning.grpo.objective import (
    advantages,
    divisors,
    loss,
    scale_of,
    teaches,
    weights,
)
from ponder.learning.grpo.policy import Policy
from ponder.learning.grpo.recording import Record, Sample
from ponder.learning.grpo.samplers import Sampler
from ponder.learning.grpo.sampling import draw
from ponder.learning.grpo.settings import Settings
from ponder.learning.rows.questions import problem_to_text
from ponder.models.base import Shape
from ponder.util.threads import LoopThread

Scores = Callable[[Sequence[str], Sequence[str]], list[float | None]]
"""Returns a reward for each text, None for an abstention; problems as ``problem_to_text``."""
Report = Callable[["Step", int], None]
"""Called after each step with its figures, and the number of steps done before this call began."""


@dataclass(frozen=True, slots=True)
class Step:
    """The figures of a step."""

    step: int
    """From 1."""
    reward: float | None
    """Mean of the rewards; None if the verifier abstained from all."""
    samples: int
    abstained: int
    """Samples without a reward."""
    unread: int
    """Samples whose tokens are not known."""
    equal: int
    """Problems whose rewards are all equal, which teach nothing."""
    truncated: int
    """Samples that were ended by their length."""
    prompt_tokens: int
    tokens: int
    """Tokens of all samples."""
    trained: int
    """Tokens of the completions that the gradient was taken of."""
    flops: tuple[int, int]
    """Floating-point operations of sampling, and of training."""
    weight: float | None
    """Mean weight of a trained token: 1 if the policy itself has sampled."""
    norm: float
    """Norm of the last gradient."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as an object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A sample that teaches something."""

    sample: Sample
    advantage: float
    divisor: float


@dataclass(slots=True)
class Trainer:
    """Trains a policy on the rewards of its own samples; ``run`` may be called again to resume."""

    folder: Folder
    settings: Settings
    problems: Sequence[Problem]
    scores: Scores
    policy: Policy
    sampler: Sampler
    crew: Crew

    def run(self, report: Report = lambda step, before: None) -> list[Step]:
        """Train until all steps are done, and return the figures of every step.

        Raises:
            UsageError: a file of the folder is damaged or gone.
            PonderError: the disk refuses, or the model is lost; the next call goes on from there.
        """
        optimizer = torch.optim.Adam(self.policy.trained.values(), self.settings.rate)
        curve = self._resume(optimizer)
        before = len(curve)
        loop = LoopThread()
        try:
            for step in range(before, self.settings.steps):
                record = self._sampled(step, loop)
                curve.append(self._learn(step, record, optimizer))
                done = step + 1
                if done % self.settings.save == 0 or done == self.settings.steps:
                    self._save(optimizer, curve)
                report(curve[-1], before)
        finally:
            try:
                loop.wait(self.sampler.close())
            finally:
                loop.close()
        return curve

    # Samples --------------------------------------------------------------------------------------

    def _sampled(self, step: int, loop: LoopThread) -> Record:
        """Return the samples of a step and their rewards, drawn and written if they are not."""
        if not self.crew.rank:
            following = range(step, step - step % self.settings.refresh + self.settings.refresh)
            self.sampler.keep(step, any(self._record(one).rewards is None for one in following))
            record = self._record(step)
            if record.rewards is None:
                asked = self._asked(step)
                loop.wait(draw(record, self.sampler, step, asked, self.policy, self.settings))
                texts = [record.samples[place].text for place in range(len(asked))]
                record.close(self.scores([problem_to_text(one) for one in asked], texts))
        self.crew.wait()
        return record if not self.crew.rank else self._record(step)

    def _record(self, step: int) -> Record:
        return Record.read(self.folder.step(step))

    def _asked(self, step: int) -> list[Problem]:
        chosen = self.settings.chosen(step, len(self.problems))
        return [self.problems[i] for i in chosen for _ in range(self.settings.group)]

    # Learning -------------------------------------------------------------------------------------

    def _learn(self, step: int, record: Record, optimizer: torch.optim.Optimizer) -> Step:
        assert record.rewards is not None
        samples = [record.samples[place] for place in range(len(record.rewards))]
        lessons, equal = lessons_of(samples, record.rewards, self.settings)
        mine = lessons[self.crew.rank :: self.crew.size]
        weight = norm = 0.0
        for update in range(self.settings.updates if lessons else 0):
            if not update:
                before = self._before(mine)
            weight, norm = self._update(mine, before, optimizer)
        rewards = [reward for reward in record.rewards if reward is not None]
        if not step and not rewards:
            raise UsageError(
                f"the verifier abstained from all {len(samples)} samples of the first step: it "
                "cannot judge these problems; name another."
            )
        tokens = sum(len(lesson.sample.tokens) for lesson in lessons)
        return Step(
            step=step + 1,
            reward=sum(rewards) / len(rewards) if rewards else None,
            samples=len(samples),
            abstained=record.rewards.count(None),
            unread=sum(not sample.tokens for sample in samples),
            equal=equal,
            truncated=sum(sample.truncated for sample in samples),
            prompt_tokens=sum(len(sample.prompt) for sample in samples),
            tokens=sum(len(sample.tokens) for sample in samples),
            trained=tokens,
            flops=(
                sampling_flops(self.policy.shape, samples, self.settings.group),
                training_flops(self.policy, lessons) * self.settings.updates,
            ),
            weight=weight / tokens if tokens else None,
            norm=norm,
        )

    def _before(self, mine: Sequence[Lesson]) -> list[torch.Tensor | None]:
        """Return the log-probabilities before the first of several updates, by batch."""
        if self.settings.updates == 1:
            return [None for _ in self._batches(mine)]  # they are those of the update itself
        with torch.no_grad():
            return [
                self.policy.logprobs([lesson.sample for lesson in batch])
                for batch in self._batches(mine)
            ]

    def _update(
        self,
        mine: Sequence[Lesson],
        before: Sequence[torch.Tensor | None],
        optimizer: torch.optim.Optimizer,
    ) -> tuple[float, float]:
        """Change the weights once; return the summed weights of all tokens, and the norm."""
        device, bounds = self.policy.device, self.settings.bounds
        trained = list(self.policy.trained.values())
        for parameter in trained:
            parameter.grad = torch.zeros_like(parameter)
        total = torch.zeros((), device=device)
        for batch, known in zip(self._batches(mine), before, strict=True):
            new = self.policy.logprobs([lesson.sample for lesson in batch])
            old = new.detach() if known is None else known
            sampled, mask = torch.zeros_like(old), torch.zeros_like(old)
            for i, lesson in enumerate(batch):
                length = len(lesson.sample.tokens)
                sampled[i, :length] = torch.tensor(lesson.sample.logprobs)
                mask[i, :length] = 1
            advantage = torch.tensor([lesson.advantage for lesson in batch], device=device)
            divisor = torch.tensor([lesson.divisor for lesson in batch], device=device)
            loss(new, old, sampled, advantage, divisor, mask, bounds).backward()
            total += (weights(old, sampled, mask, bounds) * mask).sum()
        self.crew.add([*(parameter.grad for parameter in trained), total])
        norm = torch.nn.utils.clip_grad_norm_(trained, self.settings.norm)
        optimizer.step()
        return float(total), float(norm)

    def _batches(self, lessons: Sequence[Lesson]) -> Iterator[Sequence[Lesson]]:
        for start in range(0, len(lessons), self.settings.batch):
            yield lessons[start : start + self.settings.batch]

    # Resuming -------------------------------------------------------------------------------------

    def _save(self, optimizer: torch.optim.Optimizer, curve: Sequence[Step]) -> None:
        if self.crew.rank:
            return
        figures = [step.to_json() for step in curve]
        self.folder.save(self.policy.state(optimizer=optimizer.state_dict(), curve=figures))

    def _resume(self, optimizer: torch.optim.Optimizer) -> list[Step]:
        content = self.folder.saved()
        self.crew.wait()  # before the first process saves anew
        if content is None:
            return []
        kept: dict[str, Any] = self.policy.load(content, self.folder.checkpoint)
        optimizer.load_state_dict(kept["optimizer"])
        return [Step(**one | {"flops": tuple(one["flops"])}) for one in kept["curve"]]


def lessons_of(
    samples: Sequence[Sample], rewards: Sequence[float | None], settings: Settings
) -> tuple[list[Lesson], int]:
    """Return the samples that teach something, and the number of groups that teach nothing.

    A sample that has no reward, or whose tokens are not known, takes no part in its group.
    """
    counted = [
        reward if sample.tokens else None for sample, reward in zip(samples, rewards, strict=True)
    ]
    groups = [
        counted[start : start + settings.group] for start in range(0, len(counted), settings.group)
    ]
    found = [a for g in advantages(groups, scale_of(settings.loss), settings.baseline) for a in g]
    scored = [
        (sample, advantage)
        for sample, advantage in zip(samples, found, strict=True)
        if advantage is not None
    ]
    lengths = [len(sample.tokens) for sample, _ in scored]
    shares = divisors(lengths, settings.loss, settings.max_tokens)
    lessons = [
        Lesson(sample, advantage, share)
        for (sample, advantage), share in zip(scored, shares, strict=True)
        if advantage
    ]
    return lessons, sum(not teaches(group) for group in groups)


def sampling_flops(shape: Shape, samples: Sequence[Sample], group: int) -> int:
    """Return the operations of sampling: the prompt is evaluated once for a group."""
    return sum(
        shape.flops(
            len(sample.prompt),
            max(len(sample.prompt) - 1, 0) if sample.place % group else 0,
            len(sample.tokens),
        )
        for sample in samples
    )


def training_flops(policy: Policy, lessons: Sequence[Lesson]) -> int:
    """Return the operations of one update."""
    adapters = sum(weight.numel() for weight in policy.trained.values()) if policy.rank else 0
    lengths = (len(one.sample.prompt) + len(one.sample.tokens) for one in lessons)
    return cost.training(policy.shape, adapters, lengths)

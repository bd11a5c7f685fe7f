"""The samples of a step, drawn from a model of Ponder's and written as they arrive."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.errors import ModelError
from ponder.core.problem import Problem
from ponder.learning.grpo.policy import Policy
from ponder.learning.grpo.recording import Record, Sample
from ponder.learning.grpo.samplers import Sampler
from ponder.learning.grpo.settings import Settings
from ponder.models.base import Request
from ponder.util.bounded import bounded

AT_ONCE = 32
"""Samples that are drawn at once."""


async def draw(
    record: Record,
    sampler: Sampler,
    step: int,
    asked: Sequence[Problem],
    policy: Policy,
    settings: Settings,
) -> None:
    """Draw the samples that the record lacks.

    Raises:
        ModelError: a sample is lost, or the sampler reads the prompt otherwise than the trainer.
        PonderError: the disk refuses.
    """
    missing = [place for place in range(len(asked)) if place not in record.samples]
    if not missing:
        return
    model = await sampler.model(step)

    async def one(place: int) -> None:
        problem = asked[place]
        prompt = policy.prompt(problem.shown)
        completion = await model.generate(
            Request(
                problem.shown,
                settings.max_tokens,
                temperature=1.0,
                seed=settings.sample_seed(step, place),
                logprobs=True,
                pieces=True,
            )
        )
        if completion.prompt_tokens != len(prompt):
            raise ModelError(
                f"a prompt has {completion.prompt_tokens} tokens in the sampler and {len(prompt)} "
                "in the trainer, so their chat templates differ: take --sampler policy."
            )
        tokens = policy.tokens(completion)
        record.add(
            Sample(
                place,
                completion.text,
                prompt,
                tokens,
                list(completion.logprobs or ()) if tokens else [],
                completion.finish == "length",
            )
        )

    await bounded(one, missing, AT_ONCE)

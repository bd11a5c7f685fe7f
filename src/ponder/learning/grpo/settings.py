"""The settings of a run of policy gradients."""

from __future__ import annotations

import hashlib
import random
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from ponder.core.errors import UsageError
from ponder.learning.grpo.objective import BASELINES, LOSSES, Baseline, Bounds, Loss

Sampler = Literal["engine", "policy"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run; the defaults suit a small model on a few cores.

    Samples are drawn at temperature 1 from the whole distribution, since that is the policy whose
    gradient is taken.

    Raises:
        UsageError: a number is out of its range.
    """

    steps: int = 100
    """Number of steps; a run that has ended may be continued with more."""
    prompts: int = 4
    """Problems of a step."""
    group: int = 8
    """Completions of each problem."""
    max_tokens: int = 256
    """Most tokens of a completion."""
    loss: Loss = "dr_grpo"
    baseline: Baseline = "mean"
    bounds: Bounds = field(default_factory=Bounds)
    updates: int = 1
    """Updates of the weights on the samples of one step."""
    rate: float = 1e-4
    """Learning rate of Adam, constant."""
    norm: float = 1.0
    """Most norm of the gradient."""
    rank: int = 16
    """Rank of the adapters (Hu 2021, 'LoRA'); 0 trains all weights."""
    alpha: int = 32
    """The adapters' output is multiplied by ``alpha / rank``."""
    sampler: Sampler = "engine"
    """The embedded engine, or the trained model itself."""
    refresh: int = 1
    """Steps after which the engine gets the new weights."""
    save: int = 10
    """Steps after which the weights under training are written."""
    batch: int = 4
    """Completions that are trained on at once; no result depends on it but by rounding."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "prompts", "max_tokens", "updates", "refresh", "save", "batch"):
            if asdict(self)[name] < 1:
                raise UsageError(f"{name} must be 1 or more, not {asdict(self)[name]}.")
        if self.group < 2:
            raise UsageError(f"a group needs 2 completions or more, not {self.group}.")
        if not (self.rate > 0 and self.norm > 0 and self.rank >= 0 and self.alpha > 0):
            raise UsageError(
                "the learning rate, the gradient's norm and alpha must be above 0, and the rank at "
                f"least 0, not {self.rate:g}, {self.norm:g}, {self.alpha} and {self.rank}."
            )
        if self.loss not in LOSSES or self.baseline not in BASELINES:
            raise UsageError(f"there is no loss {self.loss!r} with the baseline {self.baseline!r}.")

    def to_json(self) -> dict[str, Any]:
        """Return the settings as an object."""
        return asdict(self)

    def fixed(self) -> dict[str, Any]:
        """Return the settings that must not change within a run: all but ``steps``."""
        return {name: value for name, value in self.to_json().items() if name != "steps"}

    def chosen(self, step: int, of: int) -> list[int]:
        """Return the problems of a step: each comes once before any comes again."""
        first = step * self.prompts
        return [self._order(at // of, of)[at % of] for at in range(first, first + self.prompts)]

    def _order(self, epoch: int, of: int) -> list[int]:
        return random.Random(f"{self.seed} {epoch}").sample(range(of), of)

    def sample_seed(self, step: int, place: int) -> int:
        """Return the seed of a sample."""
        text = f"{self.seed} {step} {place}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % SEEDS

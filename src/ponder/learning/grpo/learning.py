"""A whole run of policy gradients: from a model's file to the file of the learned one, with a card.

The folder of the run has everything that is needed to go on after a kill, and the card says what
was done.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponder._version import __version__
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.learning import extra
from ponder.learning.grpo.folder import Folder
from ponder.learning.grpo.settings import Settings
from ponder.learning.rows import questions
from ponder.models.config import Config
from ponder.models.opening import Teller

if TYPE_CHECKING:
    from ponder.learning.grpo.crew import Crew
    from ponder.learning.grpo.training import Report, Scores, Step


@dataclass(frozen=True, slots=True)
class Run:
    """A request for a run."""

    name: str
    """Name of the learned model, such as ``smollm2-135m+countdown``."""
    base: str
    path: Path
    """The file of the base."""
    folder: Path
    suite: str
    problems: Sequence[Problem]
    verifier: str
    settings: Settings

    def identity(self) -> dict[str, Any]:
        """Return everything that must not change while the run is resumed."""
        asked = [questions.identity(problem) for problem in self.problems]
        return {
            "name": self.name,
            "model": self.base,
            "bytes": self.path.stat().st_size,
            "suite": self.suite,
            "problems": {"number": len(asked), "hash": questions.digest("".join(asked))},
            "verifier": self.verifier,
            **self.settings.fixed(),
        }


@dataclass(frozen=True, slots=True)
class Learned:
    """The outcome of a run."""

    model: Path
    """The file of the learned model, in the run's folder."""
    card: dict[str, Any]


def learn(
    run: Run,
    scores: Scores,
    *,
    crew: Crew,
    config: Config | None = None,
    teller: Teller | None = None,
    report: Report = lambda step, before: None,
    waiting: Callable[[], None] = lambda: None,
) -> Learned | None:
    """Do all steps that the folder does not have yet; None in all processes but the first.

    Raises:
        MissingExtra: the extra ``train`` is not installed.
        UsageError: the request cannot be met, or the folder holds another run.
        PonderError: sampling or the disk failed; the same request goes on from there.
    """
    extra.require()
    from ponder.learning.weights.saving import save

    if not run.problems:
        raise UsageError(f"{run.suite} has no problems: name another suite, or a larger --limit.")
    folder = Folder(run.folder)
    if crew.rank:
        crew.wait()  # for the folder
        _train(run, folder, scores, crew, config, teller, report)
        return None
    with folder.held(run.identity(), waiting):
        crew.wait()
        curve, policy = _train(run, folder, scores, crew, config, teller, report)
        model = folder.path / f"{run.name}.gguf"  # its name in its metadata, too
        save(policy.merged(), run.path, model)
        card = _card(run, curve, crew.size)
        folder.describe(card)
    return Learned(model, card)


def _train(
    run: Run,
    folder: Folder,
    scores: Scores,
    crew: Crew,
    config: Config | None,
    teller: Teller | None,
    report: Report,
) -> tuple[list[Step], Any]:
    from ponder.learning.grpo.policy import Policy
    from ponder.learning.grpo.samplers import Embedded, OnPolicy, Sampler
    from ponder.learning.grpo.training import Trainer
    from ponder.learning.weights.loading import load
    from ponder.learning.weights.saving import save

    settings, loaded = run.settings, load(run.path)
    policy = Policy(
        loaded.model.to(crew.device),
        loaded.tokenizer,
        rank=settings.rank,
        alpha=settings.alpha,
        seed=settings.seed,
    )

    def write(model: Any, path: Path) -> None:
        save(model, run.path, path)

    sampler: Sampler = OnPolicy(policy)
    if settings.sampler == "engine":
        sampler = Embedded(policy, write, folder.path, settings.refresh, config, teller)
    trainer = Trainer(folder, settings, run.problems, scores, policy, sampler, crew)
    return trainer.run(report), policy


def _card(run: Run, curve: Sequence[Step], processes: int) -> dict[str, Any]:
    figures = [step.to_json() for step in curve]
    counted = ("samples", "abstained", "unread", "equal", "truncated", "prompt_tokens", "tokens")
    return {
        "kind": "grpo",
        **run.identity(),
        "steps": len(curve),
        "rewards": [step.reward for step in curve],
        **{name: sum(step[name] for step in figures) for name in (*counted, "trained")},
        "flops": {
            "search": sum(step.flops[0] for step in curve),
            "training": sum(step.flops[1] for step in curve),
        },
        "curve": figures,
        "processes": processes,
        "python": platform.python_version(),
        "packages": extra.versions(),
        "ponder": __version__,
    }

"""The journaled value: a run as requested, to be written down and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from ponder._version import __version__
from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.worth import Worth
from ponder.models.base import ModelInfo
from ponder.planning import difficulty, presets
from ponder.planning.problems import Described
from ponder.planning.styles import Style
from ponder.policies.value import Mixture
from ponder.strategies import registry
from ponder.strategies.knobs import read
from ponder.util.decoding import Malformed, decode

SEEDS = range(2**31)


@dataclass(frozen=True, slots=True)
class Spec:
    """Problem, model and use of compute, in names and numbers.

    Two runs of equal specs request the same effects.
    """

    problem: Problem
    """The problem."""
    model: str
    """The name of the run's own model."""
    strategy: str
    """The strategy's name."""
    knobs: Mapping[str, Any]
    """All its knobs."""
    sampling: Sampling
    """Sampling parameters."""
    budget: Budget
    """Limits of the run."""
    verifier: str = ""
    """Name of the run's verifier; '' if it has none."""
    seed: int = 0
    """The run's seed, one of ``SEEDS``."""
    style: Style = "plain"
    """The style in which the problem is asked already."""
    version: str = field(default_factory=lambda: __version__)
    """The version of Ponder whose strategies it refers to."""
    worth: Worth | None = None
    """Worth of a right answer; None if the caller did not say."""
    outlook: Mixture | None = None
    """The outlook of the caller's plans on problems of this answer type, whole, so that a changed
    file does not change a resumed run; None for the one that ships.
    """
    wish: presets.Wish | None = field(default=None, compare=False)
    """The plan for a model that thinks by itself, until it is known if this one does; not
    journaled.
    """

    may_compute: bool = field(default=False, compare=False)
    """True if ``auto`` may solve it by programs, too, where there is a sandbox; not journaled."""

    def computing(self) -> Spec:
        """Return the spec with programs as a further way of solving."""
        return replace(self, knobs={**self.knobs, "ways": presets.WAYS}, may_compute=False)

    def settled(self, info: ModelInfo) -> Spec:
        """Return the spec for this model: the wish takes effect if it thinks by itself."""
        if self.wish is None or "native_thinking" not in info.capabilities:
            return replace(self, wish=None)
        wish = self.wish
        return replace(
            self,
            strategy=wish.strategy,
            knobs=wish.knobs,
            sampling=replace(self.sampling, thinking=wish.thinking, length=wish.length),
            budget=replace(self.budget, tokens=wish.tokens),
            wish=None,
            may_compute=False,
        )

    @property
    def shown_knobs(self) -> dict[str, Any]:
        """The knobs as a result reports them: those of the strategy, and the style if set."""
        return {**self.knobs, **({} if self.style == "plain" else {"style": self.style})}

    def to_json(self) -> dict[str, Any]:
        """Return it for the journal; thinking, style and worth are omitted if unset, and so is the
        outlook that ships.
        """
        sampling = asdict(self.sampling)
        if self.sampling.thinking is None:
            del sampling["thinking"]
        if not self.sampling.pieces:
            del sampling["pieces"]
        written = {
            "problem": self.problem.describe(),
            "model": self.model,
            "strategy": self.strategy,
            "knobs": dict(self.knobs),
            "sampling": sampling,
            "budget": asdict(self.budget),
            "verifier": self.verifier,
            "seed": self.seed,
        }
        if self.style != "plain":
            written["style"] = self.style
        written["version"] = self.version
        rare = {"worth": self.worth, "outlook": self.outlook}
        return written | {name: asdict(value) for name, value in rare.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """Read it from the journal.

        Raises:
            UsageError: another version of Ponder wrote it, whose strategies may behave differently;
                or it does not have the form that ``to_json`` writes.
        """
        if data.get("version") != __version__:
            raise UsageError(
                f"this run was begun by Ponder {data.get('version')}, which may ask for other "
                f"samples than this {__version__}: resume it with that version."
            )
        try:
            return cls._read(data)
        except (Malformed, RecursionError, MemoryError) as error:
            why = str(error) or "it is nested too deeply"
        except UsageError as error:
            why = str(error).rstrip(".")
        raise UsageError(f"the run's plan is damaged: {why}; start the run again.")

    @classmethod
    def _read(cls, data: Mapping[str, Any]) -> Spec:
        words: _Words = decode(_Words, dict(data), "it")
        drawn = {name: getattr(words.sampling, name) for name in presets.COMMON}
        read(presets.COMMON, drawn)
        if words.seed not in SEEDS or not words.budget.keys() <= asdict(Budget()).keys():
            raise Malformed("its seed or its budget is out of bounds")
        if words.outlook is not None:
            difficulty.check(words.outlook)
        return cls(
            words.problem.read(),
            words.model,
            words.strategy,
            registry.choose(words.strategy, words.knobs).values,
            words.sampling,
            Budget(**cast(dict[str, Any], words.budget)),
            words.verifier,
            words.seed,
            words.style,
            words.version,
            words.worth,
            outlook=words.outlook,
        )


@dataclass(frozen=True, slots=True)
class _Words:
    """A spec in the journal's form."""

    problem: Described
    model: str
    strategy: str
    knobs: Mapping[str, Any]
    sampling: Sampling
    budget: Mapping[str, int | float | None]
    verifier: str
    seed: int
    version: str
    style: Style = "plain"
    worth: Worth | None = None
    outlook: Mixture | None = None

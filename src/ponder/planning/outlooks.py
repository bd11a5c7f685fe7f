"""The forecast that a run goes by, and whether its confidence is calibrated by a fit."""

from __future__ import annotations

from dataclasses import replace

from ponder.core.outlook import Outlook
from ponder.core.problem import offered
from ponder.models.base import Model
from ponder.models.fakes.simulated import Simulated
from ponder.planning import climbing, difficulty, presets
from ponder.planning.spec import Spec
from ponder.strategies.climbing.auto import auto
from ponder.strategies.climbing.rungs import levels_of


def calibrated(asked: Spec, model: Model) -> bool:
    """Return True if a fit holds for the confidence of such a run."""
    own, voting = asked.outlook is not None, asked.strategy in presets.SAMPLING
    if asked.strategy == auto.name:  # ladders were fitted to texts, and plans to one rung
        voting = asked.knobs["ways"] == "direct"
        own = own and not asked.knobs["escalate"] and len(levels_of(asked.knobs["levels"])) == 1
    fitted = voting and (own or covered(asked, model))
    drawn = asked.sampling.temperature > 0
    return drawn and fitted and not offered(asked.problem.shown)  # no calls were fitted to


def covered(asked: Spec, model: Model) -> bool:
    """Return True if the fit that ships covers such questions: a simulated model is in none."""
    real = not isinstance(model, Simulated)
    return real and asked.problem.answer_type in difficulty.shipped().urns


def outlook(asked: Spec) -> Outlook:
    """Return the forecast for this kind of problem: that of the caller's plans, or the one that
    ships; for ladders of several rungs the one that ships.
    """
    kind = asked.problem.answer_type
    if asked.strategy == auto.name:
        return replace(climbing.shipped().climb(kind), own=asked.outlook)
    return asked.outlook or difficulty.shipped().outlook(kind)

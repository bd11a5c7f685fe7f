"""The forecast that a run goes by, and whether its confidence is calibrated by a fit."""

from __future__ import annotations

from ponder.core.outlook import Outlook
from ponder.core.problem import offered
from ponder.models.base import Model
from ponder.models.fakes.simulated import Simulated
from ponder.planning import climbing, difficulty, presets
from ponder.planning.spec import Spec
from ponder.strategies.climbing.auto import auto


def calibrated(asked: Spec, model: Model) -> bool:
    """Return True if a fit holds for the confidence of such a run."""
    if asked.strategy == auto.name:  # ladders were fitted to texts, and know no plans
        fitted = asked.knobs["ways"] == "direct" and covered(asked, model)
    else:
        voting = asked.strategy in presets.SAMPLING
        fitted = voting and (asked.outlook is not None or covered(asked, model))
    drawn = asked.sampling.temperature > 0
    return drawn and fitted and not offered(asked.problem.shown)  # no calls were fitted to


def covered(asked: Spec, model: Model) -> bool:
    """Return True if the fit that ships covers such questions: a simulated model is in none."""
    real = not isinstance(model, Simulated)
    return real and asked.problem.answer_type in difficulty.shipped().urns


def outlook(asked: Spec) -> Outlook:
    """Return the forecast for this kind of problem: that of the caller's plans, or the one that
    ships; for ladders of models the one that ships.
    """
    kind = asked.problem.answer_type
    if asked.strategy == auto.name:
        return climbing.shipped().climb(kind)
    return asked.outlook or difficulty.shipped().outlook(kind)

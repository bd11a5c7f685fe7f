"""The members of a mixture, their weights, and the samples that these buy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated

from ponder.core.errors import UsageError
from ponder.core.text.refs import Ref, parse_list
from ponder.policies.apportion import apportion


def weights_of(text: str, models: Iterable[str]) -> dict[str, float]:
    """Return the weight of each model, in their order; 1 for all if the text is empty.

    Raises:
        UsageError: they are no weights, or not one for each model.
    """
    names = list(dict.fromkeys(models))
    if not text:
        return dict.fromkeys(names, 1.0)
    try:
        found = [float(one.text) for one in parse_list(text)]
    except ValueError:
        found = []
    if not all(0 <= one < math.inf for one in found) or not sum(found):
        raise UsageError(
            "knob 'weights' must be numbers from 0 on with commas, not all of them 0, such as "
            f"0.6,0.4, not {text!r}."
        )
    if len(found) != len(names):
        named = ", ".join(name or "the run's own" for name in names)
        raise UsageError(
            f"knob 'weights' has {len(found)} numbers for {len(names)} models ({named}): give one "
            "for each, in this order."
        )
    return dict(zip(names, found, strict=True))


def seated(weights: Sequence[float], n: int) -> list[tuple[int, float]]:
    """Share out n samples for each member by the members' weights, in turns; return the member of
    each sample, and the weight of its vote, so that a member's votes weigh as much as it does.
    """
    held = apportion(weights, n * len(weights))
    return [
        (i, n * weights[i] / held[i])
        for turn in range(max(held))
        for i in range(len(held))
        if held[i] > turn
    ]


def members_of(
    *,
    strategies: Annotated[str, "Strategies, such as direct, refine(rounds=2)@MODEL."] = "direct",
    models: Annotated[str, "Models beside the run's own."] = "",
) -> tuple[Ref, ...]:
    """Return each of ``strategies`` for the run's own model and for each of ``models``.

    A strategy that names a model runs on that model alone.
    """
    whom = ["", *dict.fromkeys(model.text for model in parse_list(models))]
    refs = parse_list(strategies)
    if not refs:
        raise UsageError("a mixture needs strategies: name one, such as direct.")
    return tuple(replace(r, model=m) for r in refs for m in ([r.model] if r.model else whom))

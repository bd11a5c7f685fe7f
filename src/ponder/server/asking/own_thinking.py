"""A request's wish about the model's own thinking, beside its effort."""

from __future__ import annotations

from dataclasses import replace

from ponder.core.thinking import Thinking
from ponder.models.base import ModelInfo
from ponder.planning.spec import Spec


def wished(made: Spec, thinking: Thinking | None, info: ModelInfo, *, plain: bool) -> Spec:
    """Return the run with that thinking, if the model has some of its own. A search without it
    spends its effort on samples.
    """
    if thinking is None or "native_thinking" not in info.capabilities:
        return made
    if thinking.level == "off" and not plain:
        return replace(made, wish=None, sampling=replace(made.sampling, thinking=thinking))
    if made.wish is None or made.wish.thinking is None:
        return made
    return replace(made, wish=replace(made.wish, thinking=thinking))

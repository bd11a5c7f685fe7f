"""From a caller's request to the journaled value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem, offered
from ponder.core.worth import Worth
from ponder.planning import presets
from ponder.planning.plans import Plans
from ponder.planning.problems import problem
from ponder.planning.spec import SEEDS, Spec
from ponder.planning.styles import styled
from ponder.strategies import registry
from ponder.strategies.declaring import RUN
from ponder.verifiers import registry as verifiers

VERIFIER = "mean_logprob"
"""Default verifier of a strategy that needs one."""


def spec(
    question: str | Sequence[Message] | Problem,
    *,
    model: str,
    effort: str = presets.DEFAULT,
    strategy: str | None = None,
    knobs: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    verifier: str | None = None,
    answer_type: str = "auto",
    choices: Sequence[str] = (),
    schema: str = "",
    system: str = "",
    seed: int = 0,
    worth: Worth | float | str | None = None,
    plans: Plans | None = None,
) -> Spec:
    """Read a caller's request. Arguments as in ``ponder.solve``; ``plans`` are read.

    Raises:
        UnknownName: effort, strategy, knob, verifier or answer type does not exist.
        UsageError: an empty question, or an invalid value.
    """
    words = {"effort": effort, "strategy": strategy, "verifier": verifier, "system": system}
    words |= {"answer_type": answer_type, "schema": schema}
    for name, word in words.items():
        if not (isinstance(word, str) or (word is None and name in ("strategy", "verifier"))):
            raise UsageError(f"{name} must be a text, not {word!r}.")
    if budget is not None and not isinstance(budget, Budget):
        raise UsageError(f"budget must be a ponder.Budget, not {budget!r}.")
    if knobs is not None and not isinstance(knobs, Mapping):
        raise UsageError(f"knobs must be a mapping such as {{'n': 16}}, not {knobs!r}.")
    made = problem(question, answer_type, choices=choices, schema=schema, system=system)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed not in SEEDS:
        raise UsageError(f"the seed must be a whole number from 0 to {SEEDS[-1]}, not {seed!r}.")
    preset = presets.preset(effort, strategy, knobs, budget, plans.efforts if plans else None)
    if worth is not None:
        worth = Worth.read(worth)
        preset = presets.worthy(preset, knobs or {})
    chosen = registry.choose(preset.strategy, preset.knobs)
    if model in chosen.models:
        raise UsageError(f"{model} is the run's own model and always takes part: do not name it.")
    asked = chosen.verifier
    usual = preset.verifier or VERIFIER
    name = (usual if asked == RUN else asked) if verifier is None else verifier
    sampling = preset.sampling
    if name or verifier is not None:
        judge = verifiers.find(name)
        if verifier is not None and asked != RUN:
            raise UsageError(
                f"strategy {preset.strategy!r} with these knobs has no choice of verifier, and "
                f"{judge.name!r} was given: take --strategy best_of_n, or self_consistency with "
                "--set weight=score."
            )
        name, top = judge.name, judge.top_logprobs  # a rubric's name contains its digest
        sampling = replace(sampling, logprobs=judge.needs_logprobs, top_logprobs=top)
    return Spec(
        styled(made, preset.style),
        model,
        preset.strategy,
        chosen.values,
        sampling,
        preset.budget,
        name,
        seed,
        preset.style,
        worth=worth,
        wish=preset.wish,
        outlook=plans.outlook(made.answer_type) if plans else None,
        may_compute=(
            effort == "auto"
            and strategy is None
            and not (plans and effort in plans.efforts)
            and not {"ways", "escalate"} & (knobs or {}).keys()
            and model in presets.COMPUTING
            and made.answer_type in ("number", "math")
            and not offered(made.shown)
        ),
    )

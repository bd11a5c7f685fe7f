"""Checks of a plan against its models: capabilities, and known costs in the budget's units."""

from __future__ import annotations

from collections.abc import Collection

from ponder.core.budget import Budget
from ponder.core.errors import CapabilityError, UsageError
from ponder.core.worth import Worth
from ponder.models.base import ModelInfo
from ponder.planning.plan import Plan
from ponder.strategies.registry import STRATEGIES, choose

_UNITS = {"usd": "dollars", "flops": "FLOPs"}
"""Units in which a model's cost may be unknown."""


def check(plan: Plan, info: ModelInfo, *, priced: bool, model: str = "") -> None:
    """Refuse a model that cannot do what a plan requires.

    ``model`` is its name in the plan, '' for the run's own; ``priced`` is True if its price is
    known.

    Raises:
        CapabilityError: it lacks what the strategy, the verifier or the chat needs.
        UsageError: the budget, or the worth of a right answer, is in a unit in which the model's
            cost is unknown.
    """
    payable(plan.spec.budget, info, priced=priced)
    if plan.spec.worth is not None:
        valued(plan.spec.worth, info, priced=priced)
    info.check(plan.spec.sampling.thinking)
    info.takes(plan.spec.problem.shown)
    if plan.spec.problem.messages[-1].role == "assistant" and "prefill" not in info.capabilities:
        raise CapabilityError(
            f"{info.name} cannot go on with a reply that has begun: end the chat with a message of "
            "the user's, or take the embedded engine or llama.cpp."
        )
    lacking = [need for need in plan.needs[model] if need not in info.capabilities]
    if "native_thinking" in lacking:
        raise CapabilityError(
            f"strategy {plan.spec.strategy!r} asks for levels of thinking, and {info.name} has no "
            "thinking of its own that could be set: leave levels out, or, if this endpoint has it, "
            'say capabilities = ["native_thinking", ...] in ponder.toml.'
        )
    if lacking:
        raise CapabilityError(
            f"strategy {plan.spec.strategy!r} needs {' and '.join(lacking)}, which {info.name} "
            "does not have: use the embedded engine or llama.cpp, or, if this endpoint has them, "
            'say prefill = "final_message" and capabilities = ["stop", ...] in ponder.toml.'
        )
    sampling, able = plan.spec.sampling, info.capabilities
    wanted = ("logprobs", *(("top_logprobs",) if sampling.top_logprobs else ()))
    if sampling.pieces and (missing := [name for name in wanted if name not in able]):
        raise CapabilityError(
            f"{missing[0]} are asked for, which {info.name} does not give: leave them out, or, if "
            f'this endpoint has them, say capabilities = ["logprobs", "top_logprobs", ...] in '
            "ponder.toml."
        )
    if plan.spec.sampling.logprobs and "logprobs" not in info.capabilities:
        raise CapabilityError(
            f"verifier {plan.spec.verifier!r} needs log-probabilities, which {info.name} does not "
            "give: use the embedded engine or llama.cpp, or, if this endpoint has them, say "
            'capabilities = ["logprobs", ...] in ponder.toml.'
        )
    if plan.spec.sampling.top_logprobs and "top_logprobs" not in info.capabilities:
        raise CapabilityError(
            f"verifier {plan.spec.verifier!r} needs the alternatives of each token, which "
            f"{info.name} does not give: use llama.cpp, or, if this endpoint has them, say "
            'capabilities = ["logprobs", "top_logprobs", ...] in ponder.toml.'
        )


def lacking(capabilities: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return what a model with these capabilities lacks for each strategy, with its usual knobs."""
    needs = {name: choose(name, {}).needs() for name in STRATEGIES}
    return {
        name: tuple(need for need in needed if need not in capabilities)
        for name, needed in needs.items()
    }


def payable(budget: Budget, info: ModelInfo, *, priced: bool) -> None:
    """Refuse a budget that cannot be enforced.

    Raises:
        UsageError: the budget limits a unit in which the model's cost is unknown.
    """
    for unit, limit in (("usd", budget.usd), ("flops", budget.flops)):
        if limit is not None and (why := _unknown(unit, info, priced=priced)):
            raise UsageError(f"a budget of {_UNITS[unit]} cannot be kept: {why}.")


def valued(worth: Worth, info: ModelInfo, *, priced: bool) -> None:
    """Refuse a worth that no sample's price can be weighed against.

    Raises:
        UsageError: it is in a unit in which the model's cost is unknown.
    """
    if why := _unknown(worth.unit, info, priced=priced):
        raise UsageError(
            f"a worth in {_UNITS[worth.unit]} cannot be weighed: {why}, or give the worth in "
            "tokens or seconds."
        )


def _unknown(unit: str, info: ModelInfo, *, priced: bool) -> str:
    """Return why the model's cost in a unit is unknown, and what to set; '' if it is known."""
    if unit == "usd" and not (priced or info.local):
        return (
            f"no price is known for {info.name}; set price in [endpoints.{info.name}] of "
            "ponder.toml"
        )
    if unit == "flops" and not info.shape.parameters:
        return (
            f"the size of {info.name} is unknown; set parameters in [endpoints.{info.name}] of "
            "ponder.toml"
        )
    return ""

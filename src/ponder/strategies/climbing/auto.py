"""Auto: one quick look, and then whatever is expected to gain most for its price.

The look is one sample of the cheapest rung (system 1). If it is safe enough, that is all. Else the
run goes on (system 2) with more samples, more thinking, another way of solving, or a larger model,
as ``policies.ladder`` values them. A right answer is worth what the caller says; by default as much
as ``PATIENCE`` samples of the first rung. Every choice is recorded with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref, parse_list
from ponder.core.trace import Trace
from ponder.core.worth import EXPECTED_TOKENS
from ponder.policies.climb import STATED, Climb
from ponder.policies.ladder import Option, choose
from ponder.strategies.climbing.rungs import ballots, leader_of, levels_of, rungs_of, sample, tell
from ponder.strategies.declaring import Member, Values, strategy
from ponder.strategies.knobs import Range

PATIENCE = 100
"""Worth of a right answer in samples of the first rung, if the caller does not say."""
SIZES = (1, 2, 4, 8)
"""Numbers of samples that are considered at once."""


def _members(
    *,
    ways: Annotated[str, "Ways of solving, each a strategy of one chain."] = "direct",
    escalate: Annotated[str, "Further models, from cheap to dear."] = "",
) -> tuple[Ref, ...]:
    """Return the ways of the run's own model, then those of each further one."""
    refs = parse_list(ways)
    if not refs or any(ref.model for ref in refs):
        raise UsageError(
            "ways of solving are strategies such as direct, for every model: name at least one, "
            "and name models in escalate."
        )
    models = dict.fromkeys(ref.text for ref in parse_list(escalate))
    return tuple(Ref(r.name, r.args, r.options, m) for m in ["", *models] for r in refs)


def _check(values: Values) -> None:
    levels_of(values["levels"])


@strategy(
    "one look, then what gains most for its price",
    "Russell and Wefald 1991; Hay 2012",
    more=lambda values: ("native_thinking",) if values["levels"] else (),
    check=_check,
    members=_members,
    tools=True,
)
async def auto(
    s: Session,
    problem: Problem,
    members: Sequence[Member],
    *,
    n: Annotated[int, Range(1, 4096), "Most samples of a rung."] = 32,
    levels: Annotated[str, "Thinking of the run's own model, from little to much."] = "",
) -> Trace:
    """Draw samples of one rung after another, and let all of them vote."""
    climb = s.outlook if isinstance(s.outlook, Climb) else STATED
    rungs = rungs_of(members, levels)
    ladder = climb.ladder(len(rungs))
    drawn: list[tuple[int, Trace]] = []
    lost: set[int] = set()  # rungs whose last samples were all lost: they would be asked for ever

    def price(rung: int, samples: int) -> float:
        own = [trace.tokens for at, trace in drawn if at == rung]
        known = own or [trace.tokens for _, trace in drawn] or [EXPECTED_TOKENS]
        tokens = sum(known) / len(known)
        return s.economy.price(problem, tokens, samples, rungs[rung][0].model)

    worth, leader = s.economy.worth, None
    option: Option | None = Option(0, 1, 1.0, 0.0)
    while option is not None:
        member, level = rungs[option.rung]
        one = partial(sample, problem=problem, member=member, level=level)
        came = await s.gather([one] * (option.samples + s.granted()))
        if not came:
            lost.add(option.rung)
        drawn += [(option.rung, trace) for trace in came]
        models = [rungs[rung][0].model for rung, _ in drawn]
        kept = await s.steered([trace for _, trace in drawn], models)
        drawn = [(drawn[at][0], trace) for at, trace in kept]
        tallies = [ballots([t for at, t in drawn if at == rung]) for rung in range(len(rungs))]
        now = ladder.posterior(tallies)
        leader = leader_of(drawn, now.beliefs)
        if leader is not None:
            s.propose(leader, max(now.beliefs.values()))
            s.believe(max(now.beliefs.values()), ladder.rungs[0].basis, len(drawn))
        prices = {
            (rung, size): price(rung, size)
            for rung, tally in enumerate(tallies)
            for size in SIZES
            if rung not in lost and tally.samples + size <= n
        }
        right = PATIENCE * price(0, 1) if worth is None else worth
        options = now.options(prices)
        option = choose(options, right)
        tell(s, option, options, rungs, right)
    return leader or (s.first([t for _, t in drawn]) if drawn else await s.spare(problem))

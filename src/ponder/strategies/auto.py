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
from ponder.core.refs import Ref, parse_list
from ponder.core.session import Session
from ponder.core.thinking import Thinking
from ponder.core.trace import Trace
from ponder.core.worth import forgone, said
from ponder.policies.ladder import EMPTY, STATED, Ballots, Climb, Option, choose
from ponder.strategies.declaring import Member, Values, strategy
from ponder.strategies.knobs import Range

PATIENCE = 100
"""Worth of a right answer in samples of the first rung, if the caller does not say."""
SIZES = (1, 2, 4, 8)
"""Numbers of samples that are considered at once."""
EXPECTED = 300
"""Tokens of a sample before the first has come."""


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


def _levels(text: str) -> list[Thinking | None]:
    return [Thinking.read(level.strip()) for level in text.split(",") if level.strip()] or [None]


def _check(values: Values) -> None:
    _levels(values["levels"])


@strategy(
    "one look, then what gains most for its price",
    "Russell and Wefald 1991; Hay 2012",
    check=_check,
    members=_members,
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
    rungs = _rungs(members, levels)
    ladder = climb.ladder(len(rungs))
    drawn: list[tuple[int, Trace]] = []

    def price(rung: int, samples: int) -> float:
        own = [trace.tokens for at, trace in drawn if at == rung]
        known = own or [trace.tokens for _, trace in drawn] or [EXPECTED]
        tokens = sum(known) / len(known)
        return s.economy.price(problem, tokens, samples, rungs[rung][0].model)

    worth = s.economy.worth
    option: Option | None = Option(0, 1, 1.0, 0.0)
    while option is not None:
        member, level = rungs[option.rung]
        one = partial(_sample, problem=problem, member=member, level=level)
        came = await s.gather([one] * (option.samples + s.granted()))
        drawn += [(option.rung, trace) for trace in came]
        kept = await s.steer([trace for _, trace in drawn])
        drawn = _kept(drawn, kept)
        tallies = [_ballots([t for at, t in drawn if at == rung]) for rung in range(len(rungs))]
        beliefs = ladder.beliefs(tallies)
        leader = _leader(drawn, beliefs)
        if leader is not None:
            s.propose(leader, max(beliefs.values()))
            s.believe(max(beliefs.values()), climb.basis)
        prices = {
            (rung, size): price(rung, size)
            for rung, tally in enumerate(tallies)
            for size in SIZES
            if tally.samples + size <= n
        }
        right = PATIENCE * price(0, 1) if worth is None else worth
        options = ladder.options(tallies, prices)
        option = choose(options, right)
        _tell(s, option, options, rungs, right)
    return leader or s.first([trace for _, trace in drawn])


Rung = tuple[Member, Thinking | None]


def _rungs(members: Sequence[Member], levels: str) -> list[Rung]:
    """Return each way at each level of the run's own model, then those of the further ones."""
    return [
        (member, level) for level in _levels(levels) for member in members if not member.model
    ] + [(member, None) for member in members if member.model]


async def _sample(
    child: Session, *, problem: Problem, member: Member, level: Thinking | None
) -> Trace:
    if level is None:
        return await child.delegate(member.work, problem, member.model)
    return await child.delegate(member.work, problem, member.model, thinking=level)


def _kept(drawn: Sequence[tuple[int, Trace]], kept: Sequence[Trace]) -> list[tuple[int, Trace]]:
    """Return the samples that an observer left, and those that it edited in their places."""
    rungs = {trace.id: rung for rung, trace in drawn}
    return [(rungs.get(t.id, rungs.get(t.parent or "", 0)), t) for t in kept]


def _ballots(traces: Sequence[Trace]) -> Ballots:
    return EMPTY.plus(trace.answer.key if trace.answer else None for trace in traces)


def _leader(drawn: Sequence[tuple[int, Trace]], beliefs: dict[str, float]) -> Trace | None:
    first = next(iter(beliefs), None)
    return next((t for _, t in drawn if t.answer is not None and t.answer.key == first), None)


def _tell(
    s: Session,
    option: Option | None,
    options: Sequence[Option],
    rungs: Sequence[Rung],
    worth: float,
) -> None:
    unit = s.economy.unit
    if option is not None:
        s.decide(
            _name(option, rungs),
            f"costs {said(option.price, unit)} and is expected to gain {option.gain:.1%} of "
            f"{said(worth, unit)}",
        )
        return
    best = max(options, key=lambda one: one.gain * worth - one.price, default=None)
    why = "every rung has had its samples"
    if best is not None:
        why = forgone(_name(best, rungs), best.price, best.gain, s.economy, worth)
    s.decide("stop", why)


def _name(option: Option, rungs: Sequence[Rung]) -> str:
    member, level = rungs[option.rung]
    way = member.work.strategy.name
    count = "1 more sample" if option.samples == 1 else f"{option.samples} more samples"
    by = f" by {way}" if way != "direct" else ""
    on = f" of {member.model}" if member.model else ""
    thought = f", thinking {level}" if level else ""
    return f"{count}{on}{by}{thought}"

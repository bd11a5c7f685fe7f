"""The rungs of ``auto``: ways of solving, and levels of thinking, by one model after another."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.thinking import Thinking
from ponder.core.trace import Trace
from ponder.core.worth import forgone, said
from ponder.policies.ladder import EMPTY, Ballots, Option
from ponder.strategies.declaring import Member

Rung = tuple[Member, Thinking | None]
"""A member, and the thinking that it is asked for; None for the run's own setting."""


def levels_of(text: str) -> list[Thinking | None]:
    """Return the levels that a text lists; [None] for none."""
    return [Thinking.read(level.strip()) for level in text.split(",") if level.strip()] or [None]


def rungs_of(members: Sequence[Member], levels: str) -> list[Rung]:
    """Return each way at each level of the run's own model, then those of the further ones."""
    return [
        (member, level) for level in levels_of(levels) for member in members if not member.model
    ] + [(member, None) for member in members if member.model]


def name_of(option: Option, rungs: Sequence[Rung]) -> str:
    """Return the name of further samples, for a person."""
    member, level = rungs[option.rung]
    way = member.work.strategy.name
    count = "1 more sample" if option.samples == 1 else f"{option.samples} more samples"
    by = f" by {way}" if way != "direct" else ""
    on = f" of {member.model}" if member.model else ""
    thought = f", thinking {level}" if level else ""
    return f"{count}{on}{by}{thought}"


async def sample(
    child: Session, *, problem: Problem, member: Member, level: Thinking | None
) -> Trace:
    """Draw one sample of a rung."""
    if level is None:
        return await child.delegate(member.work, problem, member.model)
    return await child.delegate(member.work, problem, member.model, thinking=level)


def ballots(traces: Sequence[Trace]) -> Ballots:
    """Return the samples' votes."""
    return EMPTY.plus(trace.answer.key if trace.answer else None for trace in traces)


def leader_of(drawn: Sequence[tuple[int, Trace]], beliefs: dict[str, float]) -> Trace | None:
    """Return the first sample with the likeliest answer; None if none has an answer."""
    first = next(iter(beliefs), None)
    return next((t for _, t in drawn if t.answer is not None and t.answer.key == first), None)


def tell(
    s: Session,
    option: Option | None,
    options: Sequence[Option],
    rungs: Sequence[Rung],
    worth: float,
) -> None:
    """Record the choice of further samples, or of none, with its reason."""
    unit = s.economy.unit
    if option is not None:
        s.decide(
            name_of(option, rungs),
            f"costs {said(option.price, unit)} and is expected to gain {option.gain:.1%} of "
            f"{said(worth, unit)}",
        )
        return
    best = max(options, key=lambda one: one.gain * worth - one.price, default=None)
    why = "every model has given its samples, or gives none any more"
    if best is not None:
        why = forgone(name_of(best, rungs), best.price, best.gain, s.economy, worth)
    s.decide("stop", why)

"""Mixture: the same or different strategies by several models, merged by a vote or a verifier; with
``rounds``, a debate.

Models with different errors vote better than one model that repeats its own (Li 2024, 'More Agents
Is All You Need', section 4). In a debate each agent then answers again, with one sample of the same
model that sees the others' answers, ``rounds`` times (Du 2023, 'Improving Factuality and Reasoning
in Language Models through Multiagent Debate'); the last round votes.

With ``pick=agreement`` an answer that several members give, such as a text and a program, counts
more than one that a single member repeats (``policies.agreement``). With ``weights`` each model has
its share of the samples, and of the vote (Komiyama 2025, 'Best-of-Infinity');
``experiments.stats.ensembles`` fits them to pools on the same problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.policies.agreement import agreement
from ponder.policies.vote import Vote
from ponder.strategies.chains.revising import debate
from ponder.strategies.declaring import RUN, Member, Values, strategy
from ponder.strategies.knobs import Range
from ponder.strategies.votes.weighing import members_of, seated, weights_of

Pick = Literal["vote", "agreement", "best"]


@dataclass(frozen=True, slots=True)
class Agent:
    """A model and its latest trace."""

    model: str
    """Its name; '' is the run's own."""
    kind: int
    """Number of the member that it speaks for."""
    trace: Trace
    weight: float
    """Weight of its vote."""


def _picking(values: Values) -> str:
    return RUN if values["pick"] == "best" else ""


def _check(values: Values) -> None:
    members = members_of(strategies=values["strategies"], models=values["models"])
    weights_of(values["weights"], [member.model for member in members])
    if values["weights"] and values["pick"] != "vote":
        raise UsageError("weights count in a vote: use them with pick=vote, or leave them out.")


@strategy("several models or strategies vote, or debate", "Li 2024; Du 2023",
          verifier=_picking, check=_check, members=members_of, tools=True)  # fmt: skip
async def mixture(
    s: Session,
    problem: Problem,
    members: Sequence[Member],
    *,
    n: Annotated[int, Range(1, 256)] = 4,
    rounds: Annotated[int, Range(0, 16)] = 0,
    pick: Annotated[Pick, "Who decides: a vote, or the verifier."] = "vote",
    weights: Annotated[str, "Each model's share of samples and votes, the run's own first."] = "",
) -> Trace:
    """Run each strategy n times by the run's model and by each of ``models``, and merge."""
    weighs = weights_of(weights, [member.model for member in members])
    seats = seated([weighs[member.model] for member in members], n)
    standing: dict[int, Agent] = {}

    async def speak(child: Session, place: int, kind: int, weight: float) -> Agent:
        member = members[kind]

        def stands(trace: Trace) -> None:
            standing[place] = Agent(member.model, kind, trace, weight)
            _propose(s, standing.values(), pick)

        trace = await child.delegate(member.work, problem, member.model, stands)
        stands(trace)
        return standing[place]

    async def answer(child: Session, agent: Agent, others: list[Agent]) -> Agent:
        prompt = debate(problem, agent.trace, [other.trace for other in others])
        revised = await child.grow(Trace.empty(problem), prompt=prompt, model=agent.model)
        child.revise(revised, agent.trace)
        return replace(agent, trace=revised)

    agents = await s.gather(
        partial(speak, place=place, kind=kind, weight=weight)
        for place, (kind, weight) in enumerate(seats)
    )
    for _ in range(rounds):
        models = [agent.model for agent in agents]
        stay = await s.steered([agent.trace for agent in agents], models)
        agents = [replace(agents[at], trace=trace) for at, trace in stay]
        agents = agents or [Agent("", 0, await s.spare(problem), 1.0)]
        turns = [
            partial(answer, agent=agent, others=[a for a in agents if a is not agent])
            for agent in agents
        ]
        agents = await s.gather(turns) or agents
        _propose(s, agents, pick)
    traces = [agent.trace for agent in agents]
    if pick == "best":
        return s.best(zip(traces, await s.score(traces), strict=True))[0]
    return _propose(s, agents, pick) or s.first(traces)


def _propose(s: Session, agents: Iterable[Agent], pick: Pick) -> Trace | None:
    if pick == "agreement":
        standings = agreement([(agent.trace, agent.kind) for agent in agents])
    else:
        votes = Vote()
        for agent in agents:
            votes.add(agent.trace, agent.weight)
        standings = votes.standings()
    if not standings:
        return None
    s.propose(standings[0].voter, standings[0].weight)
    return standings[0].voter

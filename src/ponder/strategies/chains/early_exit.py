"""Early exit: one trace is probed for its answer as it grows, and stopped once that is stable (Fu
2024, 'Efficiently Scaling LLM Reasoning with Certaindex', section 3; Dynasor).

After every ``interval`` tokens an answer is forced from a copy of the trace. When ``probes``
answers in a row are equal, the trace is not continued. The probes cost a few tokens each, on a
cached prefix; they save the rest of the trace.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.steps import Step
from ponder.core.trace import Trace
from ponder.strategies.declaring import STEPS, strategy
from ponder.strategies.knobs import Range


@strategy("one chain is probed, and stopped when it has settled", "Fu 2024", needs=STEPS)
async def early_exit(
    s: Session,
    problem: Problem,
    *,
    interval: Annotated[int, Range(8, 4096)] = 64,
    probes: Annotated[int, Range(2, 64)] = 3,
) -> Trace:
    """Think until ``probes`` answers in a row agree, or to the end."""
    chain, same, last = Trace.empty(problem), 0, ""
    while not (chain := await s.advance(chain, step=Step((), interval))).done:
        [chain] = await s.steer([chain]) or [await s.spare(problem)]
        probe = partial(Session.conclude, ended=chain)
        for said in await s.gather([probe]):  # a lost probe is ignored
            key = said.answer.key if said.answer else ""
            same = same + 1 if key and key == last else 1
            last = key
            if said.answer is not None:
                s.propose(said)
            if key and same >= probes:
                return said
    return await s.conclude(chain)

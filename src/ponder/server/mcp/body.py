"""The arguments and the results of the tools that agents call."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from ponder.core.budget import Budget
from ponder.planning.presets import PRESETS
from ponder.server.asking.asked import budget_of
from ponder.server.asking.dial import Effort, Limits
from ponder.server.body import Form
from ponder.strategies.deciding.looking import MOST

CANDIDATES = 256
"""Most candidates of one call."""


Listed = Annotated[Effort, Field(json_schema_extra={"enum": [*PRESETS]})]
Kind = Literal["auto", "number", "math", "choice", "code", "text", "json"]


class Call(Form):
    """The arguments that all tools share."""

    model: Annotated[str | None, Field(description="The model; the first one if left out.")] = None
    budget: Annotated[
        Limits, Field(description="Most that this call may spend, below the server's ceilings.")
    ] = Limits()

    def limits(self) -> Budget:
        """Return the budget."""
        return budget_of(self.budget.model_dump(exclude_none=True))


class Solve(Call):
    """The arguments of ``solve``."""

    question: Annotated[
        str, Field(min_length=1, description="The whole question: no other context is seen.")
    ]
    effort: Annotated[
        Listed | None, Field(description="How much to think; the server's own if left out.")
    ] = None
    answer_type: Annotated[Kind, Field(description="The type of the answer.")] = "auto"
    choices: Annotated[
        list[str] | None, Field(description="Labels to choose from, such as A, B, C.")
    ] = None


class Score(Call):
    """The arguments of ``score``."""

    question: Annotated[str, Field(min_length=1, description="The question.")]
    candidates: Annotated[
        list[str],
        Field(min_length=1, max_length=CANDIDATES, description="Whole replies to the question."),
    ]
    verifier: Annotated[
        str,
        Field(
            min_length=1,
            description="Verifier: self_verify, judge, pairwise, arithmetic, regex(PATTERN), ...",
        ),
    ] = "self_verify"
    answer_type: Annotated[Kind, Field(description="The type of the answer.")] = "auto"
    choices: Annotated[list[str] | None, Field(description="Labels of the answers.")] = None


class Decide(Call):
    """The arguments of ``decide``."""

    question: Annotated[str, Field(min_length=1, description="The question.")]
    text: Annotated[str, Field(description="The text that it is about, if any.")] = ""
    choices: Annotated[
        list[str] | None,
        Field(min_length=2, max_length=MOST, description="The answers; yes and no if left out."),
    ] = None
    threshold: Annotated[
        float, Field(ge=0, le=1, description="Least probability; below it is an abstention.")
    ] = 0.0


RunId = Annotated[str | None, Field(description="ID for 'ponder runs show'.")]
Ended = Annotated[str, Field(description="'done', or the limit that ended it.")]
Cost = Annotated[dict[str, Any], Field(description="The cost.")]


class Solved(BaseModel):
    """The result of ``solve``."""

    answer: Annotated[str, Field(description="The answer.")]
    text: Annotated[str, Field(description="The reply that it was read from.")]
    confidence: Annotated[float | None, Field(description="Between 0 and 1, if it is known.")]
    decided: Annotated[list[str], Field(description="What was done and why.")]
    candidates: Annotated[list[dict[str, Any]], Field(description="All answers, by their votes.")]
    run: RunId
    model: str
    stopped_by: Ended
    receipt: Cost


class Decided(BaseModel):
    """The result of ``decide``."""

    choice: Annotated[str | None, Field(description="The choice; null for an abstention.")]
    probabilities: dict[str, float]
    abstained: Annotated[str, Field(description="The reason for an abstention.")]
    mass: Annotated[float, Field(description="Probability that the reply is a choice at all.")]
    run: RunId
    model: str
    stopped_by: Ended
    receipt: Cost


class CandidateScore(BaseModel):
    """The score of one candidate."""

    score: Annotated[float | None, Field(description="From 0 to 1; null if it cannot tell.")]
    verdict: str
    detail: str


class Scores(BaseModel):
    """The result of ``score``."""

    scores: Annotated[list[CandidateScore], Field(description="In the candidates' order.")]
    receipt: Cost

"""Rows that teach a model to judge: the generative verifier's own prompts, with Yes or No.

``verify`` asks about whole chains: Yes to what the verifier that decides passed, No to what it
failed. ``verify-steps`` asks about the steps of a search's chains: Yes if any chain from there is
right, the hard label of Monte Carlo values (Wang 2023, 'Math-Shepherd', section 3.3). The last step
of a chain is the whole chain, which ``verify`` asks about.

Of each problem there are as many rows with Yes as with No, so that a model can learn neither from
the problem which of the two is likely, nor, since a right chain comes with the wrong one that is
nearest in length, much from the length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponder.core.problem import Problem
from ponder.learning.rows.chains import Chain
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.stepping import Stepped
from ponder.verifiers.generative import template


@dataclass(frozen=True, slots=True)
class Lesson:
    """One prompt of the verifier, and the reply that it should give."""

    prompt: str
    right: bool
    chain: Chain
    """The chain that is asked about, or one that goes through the step."""

    @property
    def row(self) -> dict[str, Any]:
        """The columns that a trainer reads."""
        said = template.YES if self.right else template.NO
        return {
            "prompt": [{"role": "user", "content": self.prompt}],
            "completion": [{"role": "assistant", "content": said}],
        }


def of_chains(
    problem: Problem, chains: Sequence[Chain], choice: Choice, name: str
) -> Iterator[Lesson]:
    """Yield lessons about whole chains of a problem, whose hash is ``name``."""
    kept = [chain for chain in chains if chain.text.strip()]
    for pair in replace(choice, most=choice.most // 2).pairs(kept, name):
        for right, chain in zip((True, False), pair, strict=True):
            yield Lesson(template.whole(problem, chain.text), right, chain)


def of_steps(
    problem: Problem, found: Sequence[Stepped], choice: Choice, name: str
) -> Iterator[Lesson]:
    """Yield lessons about the steps of chains, each step once."""
    by_chain = {id(one.chain): one for one in found}
    lessons: dict[str, Lesson] = {}
    for chain in choice.ordered([one.chain for one in found], name):
        one = by_chain[id(chain)]
        for prefix, right in [*zip(one.prefixes, one.labels, strict=True)][:-1]:
            if prefix.strip():
                prompt = template.so_far(problem, prefix)
                lessons.setdefault(prompt, Lesson(prompt, right, chain))
    good = [lesson for lesson in lessons.values() if lesson.right]
    bad = [lesson for lesson in lessons.values() if not lesson.right]
    for pair in [*zip(good, bad, strict=False)][: choice.most // 2]:
        yield from pair

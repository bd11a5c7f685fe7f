"""Reviews (``verifiers.human``) as a pool of graded samples, to learn a verifier from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from ponder.core.problem import AnswerType
from ponder.experiments.pools.samples import Entry, Header, Sample
from ponder.verifiers.human.verifier import Candidate, Item, Judgement

GOOD = 0.75
"""Least score of a candidate that counts as right: of grades from 1 to 5, four."""


def labelled(judged: Iterable[tuple[Item, Judgement]]) -> tuple[Header, list[Entry]]:
    """Return one problem for each judgement, under the item's key and without a reference.

    Chosen candidates are right and the others beside them wrong; of grades, 4 and 5 are right.
    """
    entries = [
        Entry(
            item.key,
            None,
            cast(AnswerType, item.answer_type),
            tuple(map(_sample, item.candidates, said.scores)),
            extra={"question": item.question, "comment": said.comment, "who": said.who},
        )
        for item, said in judged
    ]
    return Header((), {"labels": "ponder review"}), entries


def _sample(candidate: Candidate, score: float) -> Sample:
    return Sample(
        candidate.answer,
        score >= GOOD,
        candidate.scores,
        candidate.tokens or None,
        key=candidate.key,
        cut=candidate.cut,
        text=candidate.text,
    )

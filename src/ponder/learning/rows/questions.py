"""Identity of questions: equal ones, the side of a split, and those of a suite to stay clear of.

Two questions are the same if their words are after Unicode's compatibility form (NFKC), case
folding, and one space for all white space. The side of a split depends on the last question alone,
so that a question lies on one side whatever examples or turns stand before it, in any file.

Contamination is an equal question, or 13 words in a row in common (Brown 2020, 'Language Models are
Few-Shot Learners', appendix C). As there, words in a row that many documents share (more than ten)
do not count: they are the wording of a template. When these are counted, all numbers are the same,
so that the template of a puzzle is found whatever its numbers are; of such puzzles only an equal
question is contamination.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem
from ponder.planning.problems import Described
from ponder.util.decoding import Malformed, decode, parse

GRAM = 13
"""Words in a row that make two questions overlap."""
TEMPLATE = 10
"""Most questions of a suite that may share such words before they count as its template."""
_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")


def normalised(text: str) -> str:
    """Return a text in the form in which questions are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def digest(text: str) -> str:
    """Return the hash of a text, 16 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def question_of(problem: Problem) -> str:
    """Return the last turn of the user, in the form in which questions are compared."""
    return normalised(next(m.content for m in reversed(problem.messages) if m.role == "user"))


def side(problem: Problem) -> str:
    """Return the hash by which a problem is put on one side of a split."""
    return digest(question_of(problem))


def identity(problem: Problem) -> str:
    """Return the hash of a problem as it is asked: of all that a model is shown, and all that an
    answer is checked by. Chains of one hash have one prompt.
    """
    asked = problem.describe()
    checks = [asked[name] for name in ("answer_type", "choices", "schema", "tests")]
    return digest(json.dumps([turns(problem.shown), *checks]))


def held_out(side: str, fraction: float) -> bool:
    """Return True if a side belongs to the held-out ``fraction``; sets of fractions are nested."""
    return int(side, 16) < fraction * 16.0 ** len(side)


# Contamination ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """The questions of a suite."""

    suite: str
    questions: tuple[str, ...]
    """In the form in which questions are compared."""

    @classmethod
    def of(cls, suite: str, problems: Iterable[Problem]) -> Known:
        """Return the questions of these problems."""
        return cls(suite, tuple(question_of(problem) for problem in problems))

    @cached_property
    def _whole(self) -> frozenset[str]:
        return frozenset(self.questions)

    @cached_property
    def _grams(self) -> frozenset[str]:
        """All words in a row that are no template."""
        shared: Counter[str] = Counter()
        for question in self.questions:
            shared.update({_DIGITS.sub("0", gram) for gram in grams(question)})
        return frozenset(
            gram
            for question in self.questions
            for gram in grams(question)
            if shared[_DIGITS.sub("0", gram)] <= TEMPLATE
        )

    def holds(self, problem: Problem) -> bool:
        """Return True if a turn of the user asks one of the questions, or overlaps with one."""
        asked = [normalised(m.content) for m in problem.messages if m.role == "user"]
        if any(text in self._whole for text in asked):
            return True
        return any(gram in self._grams for text in asked for gram in grams(text))


def grams(text: str) -> Iterator[str]:
    """Yield each ``GRAM`` words in a row of a normalised text."""
    words = _WORD.findall(text)
    for i in range(len(words) - GRAM + 1):
        yield " ".join(words[i : i + GRAM])


# As JSON ------------------------------------------------------------------------------------------


def plain(problem: Problem) -> bool:
    """Return True if the problem is text alone: no images, no tools, no calls."""
    return problem.tools is None and not any(m.rare for m in (*problem.messages, *problem.examples))


def turns(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return messages as chat templates read them."""
    return [{"role": m.role, "content": m.content} for m in messages]


def flat(problem: Problem) -> str:
    """Return what a model is shown as one text, for trainers that have no turns."""
    return "\n\n".join(message.content for message in problem.shown)


def problem_to_text(problem: Problem) -> str:
    """Return a plain problem as one JSON text, so that rows of any answer type have one column."""
    return json.dumps(problem.describe())


def problem_from_text(text: str) -> Problem:
    """Return the problem from ``problem_to_text``.

    Raises:
        UsageError: the text is something else.
    """
    try:
        described: Described = decode(Described, parse(text), "it")
        problem = described.read()
        if not plain(problem):
            raise Malformed("it has images, tools or calls")
    except (Malformed, UsageError) as error:
        raise UsageError(
            f"a row's problem is damaged: {str(error).rstrip('.')}; export the rows again with "
            "'ponder learn'."
        ) from None
    return problem

"""A calibrated scorer trained from recorded pools: logistic regression on other verifiers' scores.

The score is the probability that a sample is right, as learned by ``ponder verifier train``
(``experiments.training.train``). In a search over steps it judges prefixes too: length and
agreement, which are known only at the end, then count as missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref, spelled
from ponder.core.trace import Score, Trace
from ponder.util.files import read_regular
from ponder.verifiers.base import Facts, Verifier
from ponder.verifiers.confidence import Confidence
from ponder.verifiers.learned.features import Seen
from ponder.verifiers.learned.scorer import Scorer, parsed
from ponder.verifiers.naming import Arguments, canonical, expanded

KIND = "learned"
LEARNED = re.compile(rf"\b{KIND}\s*[:(]")


@dataclass(frozen=True, slots=True)
class Learned(Facts):
    """Combines the scores of ``parts``, named as in ``scorer.scores``."""

    name: str
    scorer: Scorer
    parts: tuple[Verifier, ...] = ()
    """Verifiers of its score features. Those in ``asks`` are asked through the session, so that
    their scores are journalled; the others read theirs off the trace.
    """
    listwise: bool = True

    @property
    def asks(self) -> tuple[str, ...]:
        """The names of the verifiers that it asks through the session."""
        named = zip(self.scorer.scores, self.parts, strict=True)
        return tuple(name for name, part in named if not isinstance(part, Confidence))

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return the probability that each trace is right; 0 if it ended without an answer."""
        found: list[dict[str, float]] = [{} for _ in traces]
        for name, scores in await self._parts(problem, traces, session):
            for known_, score in zip(found, scores, strict=True):
                if score.value is not None:
                    known_[name] = score.value
        samples = [
            Seen(t.answer.key if t.answer else None, t.tokens, t.cut, scores, t.done)
            for t, scores in zip(traces, found, strict=True)
        ]
        agreeing = self.scorer.agreement.of([sample.key for sample in samples])
        likely = self.scorer.probabilities(samples)
        return [
            Score(p, self.name, self._detail(sample, agrees))
            for p, sample, agrees in zip(likely, samples, agreeing, strict=True)
        ]

    async def _parts(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[tuple[str, list[Score]]]:
        """Return the scores of each part.

        A part whose model fails has none: its score is missing.
        """

        async def ask(child: Session, name: str) -> tuple[str, list[Score]]:
            return name, await child.score(traces, name)

        told = [
            (name, await part.score(problem, traces, session))
            for name, part in zip(self.scorer.scores, self.parts, strict=True)
            if isinstance(part, Confidence)
        ]
        if self.asks and traces:
            told += await session.gather([partial(ask, name=name) for name in self.asks])
        return told

    def _detail(self, sample: Seen, agrees: float | None) -> str:
        if agrees is None and sample.ended:
            return "no answer"
        parts = ["no answer yet" if agrees is None else f"agreement {agrees:.2f}"]
        for name in self.scorer.scores:
            value = sample.scores.get(name)
            parts.append(f"{name} missing" if value is None else f"{name} {value:.3g}")
        return ", ".join(parts)


def learned(
    find: Callable[[str], Verifier], reaches: Callable[[str], bool]
) -> Callable[[Arguments], Learned]:
    """Return a factory of the verifier in a file; ``find`` looks up the verifiers it depends on.

    Its argument is ``PATH``, or ``PATH#DIGEST`` as in a journal: the file in exactly that state,
    since a resumed run must not mix two of them. A file may come from anybody, so a score that
    ``reaches`` outside, to code, another file or a model, is computed only if the caller names it
    as well: ``learned(PATH, judge(MODEL))``.

    Raises (when called):
        UsageError: the file is invalid or has changed, or it needs a score that is not a
            verifier's, or that the caller has to name.
    """

    def made(arguments: Arguments) -> Learned:
        given = tuple(map(expanded, arguments.ref.args[1:]))
        named = tuple(map(str, given))
        path, _, expected = (arguments.text(0) or "").partition("#")
        raw = read_regular(path, "the learned verifier")
        scorer = parsed(raw, path)
        digest = hashlib.blake2b(raw, digest_size=4).hexdigest()
        if expected not in ("", digest):
            raise UsageError(
                f"the learned verifier {path} has changed: its digest is {digest}, and the name "
                f"says {expected}."
            )
        for name in scorer.scores:
            if LEARNED.search(name):  # possibly this very verifier
                raise UsageError(
                    f"{path} looks at {name!r}: a learned verifier asks no other learned one."
                )
        asked = [name for name in scorer.scores if reaches(name)]
        if unnamed := [name for name in asked if canonical(name) not in named]:
            raise UsageError(
                f"{path} looks at {' and '.join(map(repr, unnamed))}, which runs code, opens a "
                f"file or asks a model: if you trust it, name it too, as in "
                f"{Ref(KIND, (Ref(path), *(expanded(spelled(name)) for name in asked)))}."
            )
        known = [canonical(name) for name in scorer.scores]
        if strange := [name for name in named if name not in known]:
            raise UsageError(f"{path} does not look at {strange[0]!r}: leave it out.")
        parts = tuple(_part(name, path, find) for name in scorer.scores)
        whole = Ref(KIND, (Ref(f"{path}#{digest}"), *given))
        return Learned(str(whole), scorer, parts)

    return made


def _part(name: str, path: str, find: Callable[[str], Verifier]) -> Verifier:
    try:
        return find(name)
    except UsageError as error:
        raise UsageError(
            f"{path} looks at the score {name!r}, which cannot be asked for in a run: {error}"
        ) from None

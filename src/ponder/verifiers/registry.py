"""Every verifier, by name. A new one is a file of its own and one line here.

==========================  ========================================================================
``mean_logprob``            a verifier
``judge:MODEL``             one that takes an argument
``first(A, B, ...)``        the first that does not abstain (``combined``)
``product(A, B, ...)``      the product of those that do not abstain
==========================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ponder.core.errors import UnknownName, UsageError
from ponder.verifiers.base import Tools, Verifier, using
from ponder.verifiers.checkers import Arithmetic, Regex, Schema, script
from ponder.verifiers.combined import COMBINATIONS, combine
from ponder.verifiers.confidence import certain, mean_logprob, sampled, unspread, windowed
from ponder.verifiers.execution.codet import codet
from ponder.verifiers.execution.verifier import Execution
from ponder.verifiers.human.verifier import human
from ponder.verifiers.judge.pairwise import pairwise
from ponder.verifiers.judge.self_verify import self_verify, substitute
from ponder.verifiers.judge.verifier import judge
from ponder.verifiers.learned.verifier import learned, listed, split_given
from ponder.verifiers.process.verifier import process


@dataclass(frozen=True, slots=True)
class Kind:
    """How a verifier is made of what follows the colon in its name, one line on it, its paper.

    ``argument`` names what follows the colon (empty: nothing may); in brackets it may be left out.
    """

    make: Callable[[str], Verifier]
    summary: str
    paper: str = ""
    argument: str = ""

    def read(self, name: str, argument: str) -> Verifier:
        """The verifier.

        Raises:
            UsageError: the argument is missing, not wanted, or not as it must be.
        """
        if argument and not self.argument:
            raise UsageError(f"verifier {name!r} takes nothing behind a colon: leave it out.")
        if not argument and self.argument and not self.argument.startswith("["):
            raise UsageError(f"verifier {name!r} needs an argument: write {name}:{self.argument}.")
        return self.make(argument)


KINDS: dict[str, Kind] = {
    "mean_logprob": Kind(lambda _: sampled("mean_logprob", mean_logprob), "mean token probability"),
    "lowest_group": Kind(
        windowed("lowest_group"),
        "confidence of the least confident passage",
        "Fu 2025",
        "[WINDOW][?top=K]",
    ),
    "tail": Kind(windowed("tail"), "confidence of the last passage", "Fu 2025", "[WINDOW][?top=K]"),
    "self_certainty": Kind(
        certain, "how far each token's distribution is from uniform", "Kang 2025", "[K]"
    ),
    "entropy": Kind(unspread, "how little each token's distribution is spread", "", "[K]"),
    "judge": Kind(
        judge, "a model grades each chain", "Liu 2023, G-Eval", "[MODEL][?k=5&see=text&rubric=PATH]"
    ),
    "pairwise": Kind(
        pairwise,
        "a model compares chains in pairs",
        "Zheng 2023",
        "[MODEL][?how=swiss&rounds=3&k=5&see=text&rubric=PATH]",
    ),
    "self_verify": Kind(
        self_verify,
        "the model's probability that its answer is true",
        "Kadavath 2022",
        "[MODEL][?k=5&see=answer]",
    ),
    "substitute": Kind(
        substitute,
        "the model puts the answer back into the problem",
        "Weng 2022",
        "[MODEL][?k=1&length=256]",
    ),
    "process": Kind(
        process(lambda name: find(name)),
        "each step scored, by a reward model or by rollouts",
        "Lightman 2023; Wang 2023, Math-Shepherd; Luo 2024, OmegaPRM",
        "[PRM][?agg=min] or process:?k=4&length=512&agg=min&search=all&by=VERIFIER",
    ),
    "execution": Kind(lambda _: Execution(), "runs programs on the problem's public tests"),
    "codet": Kind(codet, "the model writes tests; they and solutions vote", "Chen 2022", "[N]"),
    "arithmetic": Kind(lambda _: Arithmetic(), "solves the problem's puzzle of numbers"),
    "schema": Kind(lambda _: Schema(), "satisfies the problem's JSON Schema"),
    "regex": Kind(Regex, "a pattern is found in the answer", "", "PATTERN"),
    "script": Kind(script, "a Python function of your own", "", "PATH.py:FUNCTION"),
    "learned": Kind(
        learned(lambda name: find(name), lambda name: bool(named(name))),
        "a calibrated scorer trained from recorded pools",
        "Platt 1999",
        "FILE[(SCORE, ...)]",
    ),
    "human": Kind(
        human(lambda name: find(name)),
        "a person, who answers with 'ponder review'",
        "",
        "[SECONDS[,FALLBACK]]",
    ),
}


# What a name names --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Named:
    """Something outside Ponder that a verifier's name names: only its caller's word is good for it.

    ``text`` is how the caller names it once more.
    """

    kind: Literal["script", "file", "model"]
    text: str


_HARMLESS = frozenset({
    "mean_logprob", "lowest_group", "tail", "self_certainty", "entropy", "execution", "codet",
    "arithmetic", "schema", "regex",
})  # fmt: skip
"""The kinds whose argument is a number or a pattern."""


def named(name: str) -> list[Named]:
    """Return the code, files and models that a verifier's name names, wherever they stand in it.
    Nothing is opened.
    """
    text = name.strip()
    head, bracket, rest = text.partition("(")
    if bracket and head in COMBINATIONS:
        return [found for part in listed(rest.removesuffix(")")) for found in named(part)]
    kind, _, argument = (part.strip() for part in text.partition(":"))
    if kind in _HARMLESS or (kind in KINDS and not argument):
        return []
    match kind:
        case "learned":
            path, scores = split_given(argument)
            return [Named("file", path), *(found for one in scores for found in named(one))]
        case "human":
            fallback = argument.partition(",")[2]
            return named(fallback) if fallback else []
        case "judge" | "pairwise" | "self_verify" | "substitute" | "process":
            model, _, options = argument.partition("?")
            found = [Named("model", model.strip())] if model.strip() else []
            by = ""
            if kind == "process":
                options, _, by = options.partition("by=")
            pairs = (option.partition("=") for option in options.split("&"))
            found += [Named("file", value) for key, _, value in pairs if key == "rubric"]
            return found + named(by)
        case "script":
            return [Named("script", text)]
    return []


def known(*names: str, tools: Tools | None = None) -> dict[str, Verifier]:
    """The verifiers that a run can ask: those named, those that these ask in their turn (``asks``),
    and those that strategies ask by themselves. They use ``tools``.

    Raises:
        UnknownName, UsageError: as ``find``.
    """
    found: dict[str, Verifier] = {}
    wanted = ["mean_logprob", *filter(None, names)]
    while wanted:
        name = wanted.pop(0)
        if name not in found:
            found[name] = find(name)
            for part in within(found[name]):
                wanted += getattr(part, "asks", ())
    return {name: using(one, tools) for name, one in found.items()} if tools else found


def within(verifier: Verifier) -> Iterator[Verifier]:
    """The verifier, and those that it is made of."""
    yield verifier
    for part in getattr(verifier, "parts", ()):
        yield from within(part)


def find(name: str) -> Verifier:
    """The verifier of that name.

    Raises:
        UnknownName: there is none; names the nearest.
        UsageError: its argument is not as it must be.
    """
    text = name.strip()
    head, bracket, rest = text.partition("(")
    if bracket and head in COMBINATIONS:
        if not rest.endswith(")"):
            raise UsageError(f"verifier {text!r}: expected ')' at its end.")
        return combine(head, [find(part) for part in listed(rest[:-1])])
    kind, _, argument = text.partition(":")
    if kind not in KINDS:
        raise UnknownName("verifier", kind, (*KINDS, *(f"{c}(...)" for c in COMBINATIONS)))
    return KINDS[kind].read(kind, argument)


def alternatives(verifier: Verifier) -> int:
    """How many of the likeliest tokens per place its traces must come with (0: none)."""
    parts: Sequence[Verifier] = getattr(verifier, "parts", ())
    return max([getattr(verifier, "top_logprobs", 0), *map(alternatives, parts)])

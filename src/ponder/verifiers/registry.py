"""Every verifier, by name. A new one is a file of its own and one line here.

===========================  =======================================================================
``mean_logprob``             a verifier
``judge(MODEL, k=5)``        one that takes arguments (``naming`` has the grammar)
``first(A, B, ...)``         the first that does not abstain (``combined``)
``product(A, B, ...)``       the product of those that do not abstain
===========================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import Ref, spelled
from ponder.verifiers.base import Tools, Verifier, using
from ponder.verifiers.checkers import Arithmetic, Regex, Schema, script
from ponder.verifiers.combined import COMBINATIONS, combine
from ponder.verifiers.confidence import certain, mean_logprob, sampled, unspread, windowed
from ponder.verifiers.execution.checking import check_program
from ponder.verifiers.execution.codet import codet
from ponder.verifiers.execution.verifier import Execution
from ponder.verifiers.generative.verifier import generative
from ponder.verifiers.human.verifier import human
from ponder.verifiers.judge.pairwise import pairwise
from ponder.verifiers.judge.self_verify import self_verify, substitute
from ponder.verifiers.judge.verifier import judge
from ponder.verifiers.learned.verifier import learned
from ponder.verifiers.naming import Arguments, expanded
from ponder.verifiers.process.verifier import process


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of verifier."""

    make: Callable[[Arguments], Verifier]
    """Creates a verifier from its arguments."""
    summary: str
    """One-line description."""
    paper: str = ""
    """Authors and year of the paper."""
    places: tuple[str, ...] = ()
    """Its positional arguments; ``[...]`` may be omitted, and ``...`` stands for more."""
    options: tuple[str, ...] = ()
    """Its named arguments."""
    harmless: bool = False
    """True if no argument names code, a file or a model, so that only numbers and patterns do."""

    @property
    def arguments(self) -> str:
        """Its arguments, for help."""
        return ", ".join([*self.places, *(f"{key}=..." for key in self.options)])

    def read(self, ref: Ref) -> Verifier:
        """Return the verifier that a reference names.

        Raises:
            UnknownName: it has no argument of such a name.
            UsageError: an argument is missing, superfluous or invalid.
        """
        needed = sum(not place.startswith(("[", ".")) for place in self.places)
        if ref.model:
            raise UsageError(f"verifier {ref.name!r} takes no model after '@': leave it out.")
        if len(ref.args) < needed:
            raise UsageError(
                f"verifier {ref.name!r} needs an argument: write {ref.name}({self.arguments})."
            )
        if len(ref.args) > len(self.places) and "..." not in self.places:
            takes = f"takes {self.arguments}" if self.arguments else "takes nothing in brackets"
            raise UsageError(
                f"verifier {ref.name!r} {takes}: leave {str(ref.args[len(self.places)])!r} out."
            )
        for key in ref.options:
            if key not in self.options:
                raise UnknownName(f"option of verifier {ref.name!r}", key, self.options)
        return self.make(Arguments(ref))


KINDS: dict[str, Kind] = {
    "mean_logprob": Kind(
        lambda _: sampled("mean_logprob", mean_logprob), "mean token probability", harmless=True
    ),
    "lowest_group": Kind(
        windowed,
        "confidence of the least confident passage",
        "Fu 2025",
        ("[WINDOW]",),
        ("top",),
        harmless=True,
    ),
    "tail": Kind(
        windowed,
        "confidence of the last passage",
        "Fu 2025",
        ("[WINDOW]",),
        ("top",),
        harmless=True,
    ),
    "self_certainty": Kind(
        certain,
        "how far each token's distribution is from uniform",
        "Kang 2025",
        ("[K]",),
        harmless=True,
    ),
    "entropy": Kind(
        unspread, "how little each token's distribution is spread", "", ("[K]",), harmless=True
    ),
    "judge": Kind(
        judge, "a model grades each chain", "Liu 2023, G-Eval", ("[MODEL]",), ("k", "see", "rubric")
    ),
    "pairwise": Kind(
        pairwise,
        "a model compares chains in pairs",
        "Zheng 2023",
        ("[MODEL]",),
        ("how", "rounds", "k", "see", "rubric"),
    ),
    "self_verify": Kind(
        self_verify,
        "the model's probability that its answer is true",
        "Kadavath 2022",
        ("[MODEL]",),
        ("k", "see"),
    ),
    "generative": Kind(
        generative,
        "a model's probability of Yes, asked if the solution is right",
        "Zhang 2024, GenRM",
        ("[MODEL]",),
        ("model", "agg", "k", "length"),
    ),
    "substitute": Kind(
        substitute,
        "the model puts the answer back into the problem",
        "Weng 2022",
        ("[MODEL]",),
        ("k", "length"),
    ),
    "process": Kind(
        process(lambda ref: found(ref)),
        "each step scored, by a reward model or by rollouts",
        "Lightman 2023; Wang 2023, Math-Shepherd; Luo 2024, OmegaPRM",
        ("[PRM]",),
        ("agg", "k", "length", "search", "by"),
    ),
    "execution": Kind(
        lambda _: Execution(), "runs programs on the problem's public tests", harmless=True
    ),
    "codet": Kind(
        codet,
        "the model writes tests; they and solutions vote",
        "Chen 2022",
        ("[REPLIES]",),
        harmless=True,
    ),
    "check_program": Kind(
        check_program,
        "the model writes a program that checks the answer",
        "Zhou 2023",
        ("[MODEL]",),
        ("length",),
    ),
    "arithmetic": Kind(
        lambda _: Arithmetic(), "solves the problem's puzzle of numbers", harmless=True
    ),
    "schema": Kind(lambda _: Schema(), "satisfies the problem's JSON Schema", harmless=True),
    "regex": Kind(
        lambda given: Regex(given.text(0) or ""),
        "a pattern is found in the answer",
        "",
        ('"PATTERN"',),
        harmless=True,
    ),
    "script": Kind(script, "a Python function of your own", "", ("PATH.py", "FUNCTION")),
    "learned": Kind(
        learned(lambda name: find(name), lambda name: bool(named(name))),
        "a calibrated scorer trained from recorded pools",
        "Platt 1999",
        ("FILE", "[SCORE]", "..."),
    ),
    "human": Kind(
        human(lambda ref: found(ref)),
        "a person, who answers with 'ponder review'",
        "",
        ("[SECONDS]", "[FALLBACK]"),
    ),
}


# What a name names --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Named:
    """Code, a file or a model that a verifier's name refers to.

    Only its caller can vouch for it.
    """

    kind: Literal["script", "file", "model"]
    text: str
    """The reference as its caller would write it."""


def named(name: str) -> list[Named]:
    """Return the code, files and models that a verifier's name refers to, at any depth.

    Nothing is opened. A text that is not a verifier's name refers to nothing.
    """
    try:
        return list(_named(spelled(name)))
    except UsageError:
        return []


def _named(ref: Ref) -> Iterator[Named]:
    ref = expanded(ref)
    if ref.name in COMBINATIONS:
        for part in ref.args:
            yield from _named(part)
    elif ref.name == "script":
        yield Named("script", str(ref))
    elif ref.name in KINDS and not KINDS[ref.name].harmless:
        yield from _given(ref)


def _given(ref: Ref) -> Iterator[Named]:
    first, rest = ref.args[:1], ref.args[1:]
    if ref.name != "human":
        kind: Literal["file", "model"] = "file" if ref.name == "learned" else "model"
        yield from (Named(kind, one.text) for one in first)
    if "model" in ref.options:
        yield Named("model", ref.options["model"].text)
    if "rubric" in ref.options:
        yield Named("file", ref.options["rubric"].text)
    for part in (*rest, *filter(None, [ref.options.get("by")])):
        yield from _named(part)


def known(*names: str, tools: Tools | None = None) -> dict[str, Verifier]:
    """Return the verifiers that a run can ask, sharing ``tools``.

    These are the named ones, those that they ask in turn (``asks``), and those that strategies ask
    by themselves.

    Raises:
        UnknownName, UsageError: as ``find``.
    """
    made: dict[str, Verifier] = {}
    wanted = ["mean_logprob", *filter(None, names)]
    while wanted:
        name = wanted.pop(0)
        if name not in made:
            made[name] = find(name)
            for part in within(made[name]):
                wanted += part.asks
    return {name: using(one, tools) for name, one in made.items()} if tools else made


def within(verifier: Verifier) -> Iterator[Verifier]:
    """Yield the verifier, and its parts at any depth."""
    yield verifier
    for part in verifier.parts:
        yield from within(part)


def find(name: str) -> Verifier:
    """Return the verifier of that name.

    Raises:
        UnknownName: it does not exist; names the nearest.
        UsageError: the name is malformed, or an argument is invalid.
    """
    return found(spelled(name))


def found(ref: Ref) -> Verifier:
    """Return the verifier that a reference names. Raises as ``find``."""
    ref = expanded(ref)
    if ref.name in COMBINATIONS:
        if ref.options or ref.model:
            raise UsageError(f"{ref.name}(...) combines verifiers and takes nothing else: {ref}.")
        return combine(ref.name, [found(part) for part in ref.args])
    if ref.name not in KINDS:
        names = (*KINDS, *(f"{how}(...)" for how in COMBINATIONS))
        raise UnknownName("verifier", ref.name, names)
    return KINDS[ref.name].read(ref)

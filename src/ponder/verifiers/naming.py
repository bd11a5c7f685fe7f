"""Verifiers' names: references (``core.refs``), with their shorthand.

``KIND:TEXT`` stands for a file and a function if the kind is ``script``. Within brackets it goes as
far as the grammar lets a plain word go. The canonical name, which journals, pools and results have,
is the reference's text. Names in data that spell nothing here are labels like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import Ref, short, spelled
from ponder.util.files import read_text


def expanded(ref: Ref) -> Ref:
    """Return a reference to a verifier, with its shorthand expanded."""
    if ref.plain:
        ref = short(ref.name) or ref
    if ref.name == "script" and len(ref.args) == 1:
        file, _, function = ref.args[0].text.rpartition(":")
        return replace(ref, args=(Ref(file), Ref(function)))
    return ref


def canonical(name: str) -> str:
    """Return the canonical spelling of a verifier's name; the text itself if it is not one."""
    try:
        return str(expanded(spelled(name)))
    except UsageError:
        return name


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments in a verifier's name, positional (a number from 0) or named."""

    ref: Ref
    """The whole name."""

    @property
    def kind(self) -> str:
        """The kind of verifier."""
        return self.ref.name

    @property
    def name(self) -> str:
        """The verifier's name; parsing it gives the same arguments."""
        return str(self.ref)

    @property
    def model(self) -> str:
        """The model named in the first place; '' is the run's own."""
        return self.text(0) or ""

    @property
    def models(self) -> tuple[str, ...]:
        """The models to open apart from the run's own."""
        return (self.model,) if self.model else ()

    def at(self, place: int | str) -> Ref | None:
        """Return the argument; None if it is not given."""
        if isinstance(place, str):
            return self.ref.options.get(place)
        return self.ref.args[place] if place < len(self.ref.args) else None

    def text(self, place: int | str) -> str | None:
        """Return the argument as text."""
        found = self.at(place)
        return None if found is None else found.text

    def whole(self, place: int | str, default: int, low: int = 1, high: int = 1024) -> int:
        """Return the argument as an integer from ``low`` to ``high``.

        Raises:
            UsageError: it is not an integer in that range.
        """
        text = self.text(place)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            what = f"{place} must be" if isinstance(place, str) else "expected"
            raise UsageError(
                f"verifier {self.kind!r}: {what} a whole number from {low} to {high}, not {text!r}."
            )
        return int(text)

    def one_of(self, key: str, names: Sequence[str]) -> str:
        """Return the argument as one of ``names``, by default the first.

        Raises:
            UnknownName: it is not among them.
        """
        text = self.text(key)
        if text is None:
            return names[0]
        if text not in names:
            raise UnknownName(f"{key} of verifier {self.kind!r}", text, names)
        return text

    def replaced(self, key: str, value: Ref) -> Arguments:
        """Return the arguments with another value for one of them."""
        return Arguments(replace(self.ref, options={**self.ref.options, key: value}))


def read_rubric(given: Arguments) -> tuple[str, Arguments]:
    """Return the text of the file named by ``rubric``, and the arguments with its digest added.

    A digest that is present already must match the file: a run resumed with another rubric would
    mix the scores of both.

    Raises:
        UsageError: the file cannot be read, is empty, or has changed.
    """
    named = given.text("rubric")
    if named is None:
        return "", given
    path, _, expected = named.partition("#")
    text = read_text(path, "the rubric").strip()
    if not text:
        raise UsageError(f"the rubric {path} is empty: say in it what a good answer is.")
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    if expected not in ("", digest):
        raise UsageError(
            f"the rubric {path} has changed: its digest is {digest}, and the name says {expected}."
        )
    return text, given.replaced("rubric", Ref(f"{path}#{digest}"))

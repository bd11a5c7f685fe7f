"""What follows the colon in the name of a verifier that asks: ``MODEL?key=value&key=value``.

The model comes first and may be left out (the run's own); so may the options. The whole text stays
in the verifier's name, which is what the journal keeps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ponder.core.errors import UnknownName, UsageError


@dataclass(frozen=True, slots=True)
class Options:
    """The name's parts. ``kind`` is what stands before the colon."""

    kind: str
    model: str
    values: dict[str, str]

    @property
    def models(self) -> tuple[str, ...]:
        """The models to open beside the run's own."""
        return (self.model,) if self.model else ()

    @property
    def name(self) -> str:
        """The verifier's name, to be read again."""
        options = "&".join(f"{key}={value}" for key, value in self.values.items())
        argument = f"{self.model}?{options}" if options else self.model
        return f"{self.kind}:{argument}" if argument else self.kind

    def whole(self, key: str, default: int, low: int = 1, high: int = 1024) -> int:
        """The option as a whole number from ``low`` to ``high``.

        Raises:
            UsageError: it is none.
        """
        text = self.values.get(key)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise UsageError(
                f"verifier {self.kind!r}: {key} must be a whole number from {low} to {high}, "
                f"not {text!r}."
            )
        return int(text)

    def one_of(self, key: str, names: Sequence[str]) -> str:
        """The option as one of ``names``, by default the first.

        Raises:
            UnknownName: it is another.
        """
        text = self.values.get(key, names[0])
        if text not in names:
            raise UnknownName(f"{key} of verifier {self.kind!r}", text, names)
        return text


def read_options(kind: str, argument: str, known: Iterable[str], rest: str = "") -> Options:
    """The parts of ``MODEL?key=value&...``. All that follows ``rest=`` is its value.

    Raises:
        UnknownName: an option that is not in ``known``; names the nearest.
        UsageError: an option without a value, or given twice.
    """
    model, _, text = argument.partition("?")
    known = list(known)
    values: dict[str, str] = {}
    head, mark, tail = text.partition(f"{rest}=") if rest else (text, "", "")
    if mark and head and not head.endswith("&"):
        head, mark, tail = text, "", ""
    for part in filter(None, head.split("&")):
        key, _, value = part.partition("=")
        if key not in known:
            raise UnknownName(f"option of verifier {kind!r}", key, [*known, *filter(None, [rest])])
        if not value or key in values:
            raise UsageError(f"verifier {kind!r}: give {key} one value, as in {kind}:?{key}=VALUE.")
        values[key] = value
    if mark:
        values[rest] = tail
    return Options(kind, model.strip(), values)


def read_rubric(options: Options) -> tuple[str, Options]:
    """The text of the file that ``rubric`` names, and the options with its digest behind the path.

    A digest that is there already must be the file's: a run that is resumed with another rubric
    would mix the scores of both.

    Raises:
        UsageError: the file cannot be read, is empty, or is not the one that it was.
    """
    given = options.values.get("rubric", "")
    if not given:
        return "", options
    path, _, expected = given.partition("#")
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"cannot read the rubric {path}: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read the rubric {path}: it is not UTF-8 text.") from None
    if not text:
        raise UsageError(f"the rubric {path} is empty: say in it what a good answer is.")
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    if expected not in ("", digest):
        raise UsageError(
            f"the rubric {path} has changed: its digest is {digest}, and the name says {expected}."
        )
    values = {**options.values, "rubric": f"{path}#{digest}"}
    return text, Options(options.kind, options.model, values)

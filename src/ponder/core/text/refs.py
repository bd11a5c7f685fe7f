"""References: the one grammar of everything that is named with arguments.

    NAME                              direct, codet, qwen2.5-coder-0.5b
    NAME(ARG, KEY=VALUE)              judge(big, k=5), beam_search(width=2, fan=2)
    NAME(ARG, KEY=VALUE)@MODEL        direct@big, direct@simulated(accuracy=0.8)

Arguments and values are references themselves, nested at will. A text that holds one of
``, ( ) = @ "``, or begins or ends with a space, is quoted: ``"a, b"``. Within quotation marks a
backslash stands before one, and before another backslash; before anything else it is itself.

One shorthand saves quotation marks where a kind has a single argument (verifiers, aggregators):
``KIND:TEXT`` is ``KIND("TEXT")``, with all that follows the colon as it stands.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ponder.core.errors import UsageError

_PLAIN = re.compile(r'[^\s,()=@"](?:[^,()=@"]*[^\s,()=@"])?')
_SHORT = re.compile(r"\s*([a-z_]+):\s*(.*\S)\s*", re.DOTALL)
SHORT = 100
"""Most characters of a reference that is parsed once and then remembered: the same few come again
with every run.
"""
DEPTH = 16
"""Maximum nesting depth of references."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A name with its arguments."""

    name: str
    """The name, or the text of a plain value."""
    args: tuple[Ref, ...] = ()
    """Positional arguments."""
    options: Mapping[str, Ref] = field(default_factory=dict)
    """Keyword arguments."""
    model: str = ""
    """The model to use; '' if none was named."""

    @property
    def plain(self) -> bool:
        """True if it is only a name or a value."""
        return not (self.args or self.options or self.model)

    @property
    def text(self) -> str:
        """The value: the bare name without quotes if there is nothing else, otherwise the whole
        reference.
        """
        return self.name if self.plain else str(self)

    def __str__(self) -> str:
        parts = [
            *map(str, self.args),
            *(f"{_quoted(key)}={value}" for key, value in self.options.items()),
        ]
        text = _quoted(self.name) + (f"({', '.join(parts)})" if parts else "")
        return f"{text}@{_quoted(self.model)}" if self.model else text


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse(text: str) -> Ref:
    """Parse a text as a reference.

    Raises:
        UsageError: it is not a reference; the message gives the place and what was expected.
    """
    return _parsed(text) if len(text) <= SHORT else _parsed.__wrapped__(text)


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> Ref:
    reader = _Reader(text)
    ref = reader.ref(0)
    reader.end()
    return ref


def parse_list(text: str) -> tuple[Ref, ...]:
    """Parse a list of references separated by commas; an empty text gives ().

    Raises:
        UsageError: it is not such a list.
    """
    if not text.strip():
        return ()
    reader = _Reader(text)
    refs = [reader.ref(0)]
    while reader.took(","):
        refs.append(reader.ref(0))
    reader.end()
    return tuple(refs)


def texts(text: str) -> list[str]:
    """Return the values of a list such as ``1,2,4`` or ``first(a, b),"c, d"``.

    Raises:
        UsageError: it is not such a list.
    """
    refs = parse_list(text)
    if '"' not in text and any(ref.plain and ";" in ref.name for ref in refs):
        raise UsageError(
            f"{text!r}: values stand between commas, not ';': write A,B, and a value with a comma "
            'of its own in quotation marks, "A, B".'
        )
    return [ref.text for ref in refs]


def parse_options(text: str) -> dict[str, Ref]:
    """Parse a list such as ``tokens=2000, usd=1``.

    Raises:
        UsageError: it is not such a list, or has a key twice.
    """
    reader = _Reader(text)
    args, options = reader.arguments(0)
    reader.end()
    if args:
        raise UsageError(f"{text!r}: expected KEY=VALUE, KEY=VALUE, not {args[0].text!r} alone.")
    return options


def spelled(text: str) -> Ref:
    """Parse a text as a reference, or as the shorthand ``KIND:TEXT`` of one.

    Raises:
        UsageError: it is neither.
    """
    return short(text) or parse(text)


def short(text: str) -> Ref | None:
    """Return the reference that the shorthand ``KIND:TEXT`` spells; None if the text is not one."""
    found = _SHORT.fullmatch(text)
    return Ref(found[1], (Ref(found[2]),)) if found else None


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def ref(self, depth: int) -> Ref:
        if depth > DEPTH:
            raise self._error(f"references nested at most {DEPTH} deep")
        name = self._word("a name or a value")
        args: list[Ref] = []
        options: dict[str, Ref] = {}
        if self.took("(") and not self.took(")"):
            args, options = self.arguments(depth)
            if not self.took(")"):
                raise self._error("',' or ')'")
        if not self.took("@"):
            return Ref(name, tuple(args), options)
        model = self.ref(depth + 1) if self._more() else None
        if model is None or model.model:
            raise self._error("a model")
        return Ref(name, tuple(args), options, model.text)

    def arguments(self, depth: int) -> tuple[list[Ref], dict[str, Ref]]:
        """Read ``ARG, KEY=VALUE``, as far as there are commas."""
        args: list[Ref] = []
        options: dict[str, Ref] = {}
        while True:
            value = self.ref(depth + 1)
            if value.plain and self.took("="):
                if value.name in options:
                    raise self._error(f"{value.name!r} once")
                options[value.name] = self.ref(depth + 1)
            elif options:
                raise self._error("KEY=VALUE after another KEY=VALUE")
            else:
                args.append(value)
            if not self.took(","):
                return args, options

    def took(self, mark: str) -> bool:
        """Skip a mark and the space before it; True if it comes next."""
        self._skip()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _more(self) -> bool:
        self._skip()
        return self._at < len(self._text) and self._text[self._at] not in ",()=@"

    def end(self) -> None:
        self._skip()
        if self._at < len(self._text):
            raise self._error("nothing more")

    def _word(self, what: str) -> str:
        self._skip()
        if self.took('"'):
            return self._string()
        match = _PLAIN.match(self._text, self._at)
        if match is None:
            raise self._error(what)
        self._at = match.end()
        return match[0]

    def _string(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if char == '"':
                return "".join(parts)
            if char == "\\" and self._text[self._at : self._at + 1] in ("\\", '"'):
                char = self._text[self._at]
                self._at += 1
            parts.append(char)
        raise self._error("a closing quotation mark")

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _error(self, expected: str) -> UsageError:
        rest = self._text[self._at : self._at + 20]
        where = f"at {rest!r}" if rest else "at the end"
        return UsageError(f"{self._text!r} cannot be read {where}: expected {expected}.")

"""The problem to solve. It never holds the gold answer: that lives in ``experiments`` alone."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from ponder.core.collecting.collect import collect
from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.numbers import exact
from ponder.core.tools import Image, ToolCall, Toolset

AnswerType = Literal["number", "math", "choice", "code", "text", "json"]
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)
Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str
    """Its text; of a ``tool``, the result of a call."""
    blocks: str = ""
    """As in ``Trace``, for a turn of the assistant: sent back to the model that made it, and to no
    other, as long as ``content`` is its text.
    """
    calls: tuple[ToolCall, ...] = ()
    """Calls of tools in a turn of the assistant, after the text."""
    call: str = ""
    """Id of the call whose result a ``tool`` gives."""
    images: tuple[Image, ...] = ()
    """Images in a turn of the user, before the text, or in the result of a call, after it."""
    tools: Toolset | None = None
    """The tools that the model may call from here on, in a message of the system; see
    ``Problem.shown``.
    """

    @property
    def rare(self) -> dict[str, Any]:
        """The fields beside role and text that are set."""
        names = ("blocks", "calls", "call", "images", "tools")
        return {name: value for name in names if (value := getattr(self, name))}

    def describe(self) -> dict[str, Any]:
        """Return it as JSON, without the fields that are not set."""
        rare = self.rare
        if not rare:
            return {"role": self.role, "content": self.content}
        fields = asdict(self)
        return {name: fields[name] for name in ("role", "content", *rare)}

    def __repr__(self) -> str:
        """Leave out what is not set: fingerprints are made of it."""
        rare = "".join(f", {name}={value!r}" for name, value in self.rare.items())
        return f"Message(role={self.role!r}, content={self.content!r}{rare})"

    def __post_init__(self) -> None:
        for name, roles in _BELONGS.items():
            if getattr(self, name) and self.role not in roles:
                allowed = " or ".join(map(repr, roles))
                raise UsageError(f"{name} belong to a message of the role {allowed} alone.")
        if self.role == "tool" and not self.call:
            raise UsageError(
                "a message of the role 'tool' gives the result of a call: set call to its id."
            )


_BELONGS: Mapping[str, tuple[Role, ...]] = {
    "calls": ("assistant",),
    "call": ("tool",),
    "images": ("user", "tool"),
    "tools": ("system",),
}
"""Roles of the messages that may have a field."""


def offered(messages: Iterable[Message]) -> Toolset | None:
    """Return the tools that a model may call in a chat: those named last."""
    return next((m.tools for m in reversed([*messages]) if m.tools), None)


@dataclass(frozen=True, slots=True)
class AssertTests:
    """Assertions about a program, as Python source; each is a test of its own."""

    code: str
    """The assertions."""
    entry_point: str = ""
    """The function that the program must define (empty: any)."""
    preamble: str = ""
    """Code that precedes the function in the question (imports, helpers), run before the program.
    """
    stub: str = ""
    """The code that the question asks to complete, for an answer that is only a function's body."""
    kind: Literal["assert"] = "assert"


@dataclass(frozen=True, slots=True)
class IoCase:
    """A program's standard input, and the output that it must print."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class IoTests:
    """Inputs and outputs of a program; each pair is a test of its own."""

    cases: tuple[IoCase, ...]
    kind: Literal["io"] = "io"


@dataclass(frozen=True, slots=True)
class ArithmeticTests:
    """A test for expressions: each of ``numbers`` is used exactly once, and the value is ``target``
    (as ``7/2``).
    """

    numbers: tuple[int, ...]
    target: str
    kind: Literal["arithmetic"] = "arithmetic"


Tests = AssertTests | IoTests | ArithmeticTests


def read_tests(data: Mapping[str, Any] | None) -> Tests | None:
    """Return tests from a user's data. This is the inverse of ``dataclasses.asdict``.

    ``{"kind": "assert", "code": ..., "entry_point": ...}``, ``{"kind": "io", "cases": [{"input":
    ..., "output": ...}, ...]}`` or ``{"kind": "arithmetic", "numbers": [...], "target": ...}``.

    Raises:
        UsageError: it has none of these forms.
    """
    if data is None:
        return None
    try:
        fields = {name: value for name, value in data.items() if name != "kind"}
        match data["kind"]:
            case "assert" if fields["code"].strip() and _texts(fields):
                return _checked(AssertTests(**fields))
            case "io" if fields["cases"] and all(_texts(case) for case in fields["cases"]):
                cases = tuple(IoCase(**case) for case in fields.pop("cases"))
                return _checked(IoTests(cases, **fields))
            case "arithmetic":
                numbers = fields.pop("numbers")
                if not numbers or {*map(type, numbers)} != {int}:
                    raise ValueError(numbers)
                return ArithmeticTests(tuple(numbers), str(exact(fields.pop("target"))), **fields)
    except (TypeError, KeyError, ValueError, AttributeError, ZeroDivisionError):
        pass
    raise UsageError(
        'invalid tests: expected {"kind": "assert", "code": ...}, {"kind": "io", "cases": '
        '[{"input": ..., "output": ...}]} or {"kind": "arithmetic", "numbers": [...], "target": '
        "...}."
    )


def check_tests(tests: Tests | None) -> None:
    """Refuse tests that no program could fail, and tests that cannot be run here.

    Raises:
        UsageError: the tests are of this sort.
    """
    if isinstance(tests, AssertTests):
        collect(tests.code, tests.entry_point)
    elif isinstance(tests, IoTests) and not any(case.output.strip() for case in tests.cases):
        raise UsageError(
            "the tests assert nothing: every expected output is empty, so a program that prints "
            "nothing would pass; give what must be printed for at least one input."
        )


def _checked(tests: AssertTests | IoTests) -> AssertTests | IoTests:
    check_tests(tests)
    return tests


def _texts(fields: Mapping[str, Any]) -> bool:
    return all(isinstance(value, str) for value in fields.values())


@dataclass(frozen=True, slots=True)
class Problem:
    """A question as chat messages, and the form of its answer."""

    messages: tuple[Message, ...]
    """The question, as the user asked it."""
    answer_type: AnswerType = "text"
    """The type under which the answer is read."""
    choices: tuple[str, ...] = ()
    """Labels of the options, for ``choice`` (empty: any single letter)."""
    schema: str = ""
    """A JSON Schema as JSON text, for ``json`` (empty: any JSON)."""
    tests: Tests | None = None
    """Public tests that come with the question, never the hidden ones."""
    instruction: str = field(default="", repr=False)
    """The form that the answer must have; Ponder appends it to the last message."""
    examples: tuple[Message, ...] = field(default=(), repr=False)
    """Solved questions, as turns; Ponder puts them before the question."""
    tools: Toolset | None = field(default=None, repr=False)
    """The tools that the model may call; an answer is then a text, or calls."""

    @property
    def asked(self) -> tuple[Message, ...]:
        """The messages that a model is shown, without the examples: the question itself."""
        if not self.instruction:
            return self.messages
        return _instructed(self.messages, self.instruction, (), None)

    @property
    def shown(self) -> tuple[Message, ...]:
        """The messages that a model is shown: ``messages`` with the instruction appended to the
        last one, after the examples. The tools come first, in a message without text.
        """
        if not (self.instruction or self.examples or self.tools):
            return self.messages
        return _instructed(self.messages, self.instruction, self.examples, self.tools)

    def describe(self) -> dict[str, Any]:
        """Return it as JSON. Fields that were added later are left out where they are not set."""
        described = {
            "messages": tuple(message.describe() for message in self.messages),
            "answer_type": self.answer_type,
            "choices": self.choices,
            "schema": self.schema,
            "tests": None if self.tests is None else asdict(self.tests),
            "instruction": self.instruction,
        }
        if self.examples:
            described["examples"] = tuple(message.describe() for message in self.examples)
        if self.tools:
            described["tools"] = asdict(self.tools)
        return described

    def __post_init__(self) -> None:
        if self.answer_type not in ANSWER_TYPES:
            raise UnknownName("answer type", self.answer_type, ANSWER_TYPES)
        if not any(m.role == "user" and (m.content.strip() or m.images) for m in self.messages):
            raise UsageError("the question is empty: give at least one user message with text.")
        called: set[str] = set()
        for message in self.messages:
            called |= {call.id for call in message.calls}
            if message.role == "tool" and message.call not in called:
                raise UsageError(
                    f"the result of the call {message.call!r} has no call before it: give the "
                    "assistant's turn with that call too."
                )
        check_tests(self.tests)


@functools.lru_cache(maxsize=256)
def _instructed(
    messages: tuple[Message, ...],
    instruction: str,
    examples: tuple[Message, ...],
    tools: Toolset | None,
) -> tuple[Message, ...]:
    *before, last = messages
    if instruction and last.role == "tool":  # its text is the tool's
        before, last = [*messages], Message("user", instruction)
    elif instruction:
        said = last.content.rstrip()
        last = replace(last, content=f"{said}\n\n{instruction}" if said else instruction)
    head = [*itertools.takewhile(lambda message: message.role == "system", before)]
    offered = [Message("system", "", tools=tools)] if tools else []
    return (*offered, *head, *examples, *before[len(head) :], last)

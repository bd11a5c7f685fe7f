r"""Marks of thinking in a model's raw text, for servers that do not part thinking from the answer.

``split`` divides a whole text, ``Splitter`` one that arrives in pieces. The marks: ``<think>`` and
its kin, ``[THINK]``, ``◁think▷``, ``<|START_THINKING|>``, ``<|begin_of_thought|>``, and the
channels of harmony (``<|channel|>analysis<|message|>``), of which only ``final`` is the answer.

- Thinking that never ends is no answer. A closing mark without an opening one ends thinking that
  the chat template began: everything before it is thinking.
- A mark within inline code or a fenced block of the answer is quoted, and stays in the text. A
  closing mark that nothing opened may also stand in a block that the thinking left open: it is
  quoted if that block is closed later.
- Within thinking, code quotes nothing but a closing mark between two backticks.

Every step takes time linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

_NAME = r"(?:seed:)?(?:think(?:ing)?|thought|reasoning)"
_OPEN = (
    rf"<[ ]?{_NAME}[ ]?>|\[[ ]?think[ ]?\]|◁[ ]?think[ ]?▷"
    r"|<\|start_thinking\|>|<\|begin_of_thought\|>"
)
_CLOSE = (
    rf"<[ ]?/[ ]?{_NAME}[ ]?>|\[[ ]?/[ ]?think[ ]?\]|◁[ ]?/[ ]?think[ ]?▷"
    r"|<\|end_thinking\|>|<\|end_of_thought\|>"
)
_NOISE = (
    r"<\|start\|>[a-z]{0,20}"
    r"|<\|(?:start_response|end_response|begin_of_solution|end_of_solution)\|>"
)
_TOKEN = re.compile(
    rf"(?P<open>{_OPEN})|(?P<close>{_CLOSE})"
    r"|(?P<channel><\|channel\|>)|(?P<message><\|message\|>)|(?P<end><\|(?:end|return|call)\|>)"
    rf"|(?P<noise>{_NOISE})"
    r"|(?P<fence>^[ \t]{0,12}(?P<run>`{3,100}|~{3,100})(?P<info>[^\n`]{0,80})(?:\n|\Z))"
    r"|(?P<ticks>`{1,100})|(?P<line>\n)",
    re.I | re.M,
)
_UNDECIDED = re.compile(
    r"(?:[<\[◁][^<>\[\]▷\n]{0,40}|^[ \t]{0,12}(?:[`~]{0,100}|[`~]{3,100}[^\n`]{0,80})|`{1,100})\Z",
    re.M,
)
"""The end of a text that may become a token."""
_LONGEST = 200
"""More characters than ``_UNDECIDED`` matches."""
_MARKED = re.compile(
    rf"{_OPEN}|{_CLOSE}|<\|(?:channel|start|message|end|return|call)\|>|{_NOISE}", re.I
)


def joined(reasoning: str, text: str) -> str:
    """Return a turn as a model writes it: its thinking between marks, then the text.

    Without a text the thinking is not closed, so that it can be continued.
    """
    if not reasoning:
        return text
    opened = f"<think>\n{reasoning}"
    return f"{opened.rstrip()}\n</think>\n\n{text.lstrip()}" if text else opened


def closes(text: str) -> bool:
    """True if the text is a mark that closes thinking, and nothing else."""
    return re.fullmatch(_CLOSE, text.strip(), re.I) is not None


def opens(text: str) -> bool:
    """True if the text ends with a mark that opens thinking, as some chat templates do."""
    return opening(text) < len(text)


def opening(text: str) -> int:
    """Return the place of the mark that opens thinking at the end of the text; its length if there
    is none.
    """
    start = max(0, len(text) - 80)
    found = re.search(rf"(?:{_OPEN})\s*\Z", text[start:], re.I)
    return start + found.start() if found else len(text)


class Split(NamedTuple):
    """A text divided."""

    reasoning: str
    text: str
    """The part outside of the thinking: the answer."""
    closed: bool
    """False if the text ends within thinking."""


def split(text: str, *, opened: bool = False) -> Split:
    """Divide a whole text; ``opened`` if the prompt has already opened the thinking."""
    if not opened and not _MARKED.search(text):
        return Split("", text, True)
    splitter = Splitter(opened)
    splitter.feed(text)
    return splitter.end()


def stretches(text: str) -> tuple[list[str], bool]:
    """Return each stretch of text outside of the thinking, and True if the thinking is closed.

    The last one follows the last thinking, and may be empty.
    """
    if not _MARKED.search(text):
        return [text], True
    splitter = Splitter()
    splitter.feed(text)
    closed = splitter.end().closed
    parts = [part.said() for part in splitter.parts if not part.thinking]
    return [*parts, ""] if splitter.parts[-1].thinking else parts, closed


@dataclass(slots=True)
class _Part:
    """A stretch of thinking, or of text between."""

    thinking: bool
    pieces: list[str] = field(default_factory=list)

    def said(self) -> str:
        return "".join(self.pieces)


class Splitter:
    """Divides a text that arrives in pieces, at any boundaries.

    ``feed`` returns what is new. What it returned as text turns out to be thinking only if a
    closing mark follows that nothing opened; ``end`` returns the final division, which ``split``
    would make of the whole.
    """

    def __init__(self, opened: bool = False) -> None:
        self.parts = [_Part(opened)]
        self._held = ""
        self._before = "\n"  # the last character that was read
        self._begun = [False, False]  # True if there is text, reasoning
        self._channel = False  # True if the thinking is a channel of harmony
        self._header: list[str] | None = None  # between <|channel|> and <|message|>
        self._thought = opened  # True if a mark was met
        self._settled = 0  # number of parts that are thinking for certain
        self._leave_code()

    def _leave_code(self) -> None:
        self._fence = ""  # the run that opened the block which is open
        self._inline = 0  # length of the run that opened the inline code which is open
        self._quoted = False  # True if the block quotes an opening mark
        self._doubt: tuple[int, int] | None = None  # pieces around a closing mark in the block

    def feed(self, piece: str) -> tuple[str, str]:
        """Return the reasoning and the text that the piece adds."""
        return self._read(piece, final=False)

    def end(self) -> Split:
        """Return the division of all that was fed; nothing may follow."""
        self._read("", final=True)
        self._decide()
        return Split(self._joined(True), self._joined(False), not self.parts[-1].thinking)

    def _joined(self, thinking: bool) -> str:
        said = (part.said() for part in self.parts if part.thinking == thinking)
        return "\n\n".join(text for text in said if text)

    def _read(self, piece: str, *, final: bool) -> tuple[str, str]:
        buffer = self._before + self._held + piece
        limit = len(buffer)
        if not final:
            tail = _UNDECIDED.search(buffer, max(1, limit - _LONGEST))
            limit = tail.start() if tail else limit
        new: tuple[list[str], list[str]] = ([], [])
        at = 1
        for token in _TOKEN.finditer(buffer, 1):
            waits = token.end() == len(buffer) and token[0][-1] != "\n" and not final
            if token.start() >= limit or waits:
                limit = min(limit, token.start())
                break
            self._say(buffer[at : token.start()], new)
            at = token.end()
            if not self._meets(token, buffer):
                self._say(token[0], new)
        if at < limit:
            self._say(buffer[at:limit], new)
            at = limit
        self._held, self._before = buffer[at:], buffer[at - 1]
        return "".join(new[True]), "".join(new[False])

    def _say(self, text: str, new: tuple[list[str], list[str]]) -> None:
        if self._header is not None:
            self._header.append(text)
            return
        part = self.parts[-1]
        if not part.pieces and self._thought:
            text = text.lstrip()  # the white space around a mark belongs to it
        if not text:
            return
        if not part.pieces and self._begun[part.thinking]:
            new[part.thinking].append("\n\n")
        self._begun[part.thinking] = True
        part.pieces.append(text)
        new[part.thinking].append(text)

    def _meets(self, token: re.Match[str], buffer: str) -> bool:
        """Act on a token, and return True unless it is text."""
        kind = token.lastgroup
        if self._header is not None:
            return self._in_header(kind)
        if kind in ("fence", "ticks", "line"):
            if not self.parts[-1].thinking:
                self._code(token)
            return False
        if not self.parts[-1].thinking and (self._fence or self._inline):
            self._quote(kind, token[0])
            return False
        if self.parts[-1].thinking:
            return self._in_thinking(kind, token, buffer)
        if kind == "open":
            self._begin(thinking=True)
        elif kind == "close":
            self._all_was_thinking()
            self._begin(thinking=False)
        elif kind == "channel":
            self._header = []
        return True

    def _in_thinking(self, kind: str | None, token: re.Match[str], buffer: str) -> bool:
        if kind == "channel":
            self._header = []
        elif kind == "end" and self._channel:
            self._begin(thinking=False)
        elif kind == "close" and not self._channel:
            around = buffer[token.start() - 1] + buffer[token.end() : token.end() + 1]
            if around == "``":
                return False
            self._begin(thinking=False)
        else:
            return kind not in ("open", "close")
        return True

    def _in_header(self, kind: str | None) -> bool:
        assert self._header is not None
        if kind == "message":
            words = "".join(self._header).split()
            self._header = None
            final = not words or words[0].lower() == "final"
            if final and not self._thought:
                self._all_was_thinking()
            self._begin(thinking=not final, channel=not final)
        return kind in ("message", "channel")

    def _begin(self, *, thinking: bool, channel: bool = False) -> None:
        self.parts.append(_Part(thinking))
        self._thought, self._channel = True, channel
        self._leave_code()

    def _all_was_thinking(self) -> None:
        for part in self.parts[self._settled :]:
            part.thinking = True
        self._settled = len(self.parts)

    # Code of the answer -----------------------------------------------------------------------

    def _code(self, token: re.Match[str]) -> None:
        if token["line"]:
            self._inline = 0
        elif token["ticks"]:
            length = len(token["ticks"])
            if not self._fence and self._inline in (0, length):
                self._inline = length - self._inline
        elif not self._fence:
            self._fence = token["run"]
        elif token["info"].strip():
            if self._doubt:  # a second block begins: the first was never closed
                self._decide()
                self._fence = token["run"]
        elif token["run"].startswith(self._fence):
            self._leave_code()

    def _quote(self, kind: str | None, mark: str) -> None:
        if not self._fence:
            return
        if kind == "open":
            self._quoted = True
        elif kind == "close" and not (self._quoted or self._thought):
            pieces = len(self.parts[-1].pieces)
            self._doubt = pieces, pieces + 1

    def _decide(self) -> None:
        """Take the closing mark in a block that was never closed for the end of the thinking."""
        if self._doubt is None:
            return
        pieces, (start, after) = self.parts[-1].pieces, self._doubt
        self._all_was_thinking()
        self.parts[-1].pieces = pieces[:start]
        rest = "".join(pieces[after:]).lstrip()
        self._begin(thinking=False)
        self.parts[-1].pieces = [rest] if rest else []

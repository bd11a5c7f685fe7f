r"""Finds the label that a reply chooses: the one that is stated, or none.

In this order:

1. the last ``\boxed{...}``, if it names a label;
2. the last statement that names one: 'answer is', 'Answer:', 'correct choice is', 'I choose',
   'B is correct', 'it is B', '#### B';
3. complete replies only: the label that the reply begins with ('b) 12 apples'), if no other line
   begins with another; else the last label that stands alone.

What is denied ('not B', 'neither A nor B', 'A is wrong') is not chosen. A statement of two labels
('A, C', 'A or B') chooses none, and ends the search.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ponder.answers.equivalence import choice_key
from ponder.answers.notation import EMPHASIS, TEXT_COMMAND

_MARKED = re.compile(
    r"\b(?:answer|choice|option|selection|conclusion)s?(?:\*\*|__|\s){0,3}(?:\([a-z]{1,8}\)\s?)?"
    r"(?:(?:is|was|are|(?:would|should|must|will|has to|can only)\s+be)\b\s*:?|:|=|\s[-–—]\s)"
    r"(?:\s|\*\*|__)*"
    r"|\b(?:i|i'd|i'll|we|let's|let us|would|will|to)\s+(?:now\s+)?"
    r"(?:choose|pick|select|go\s+(?:with|for)|opt\s+for|chose)\b\s*:?\s*"
    r"|\b(?:choosing|selecting|picking|therefore|thus|hence|so)\s*[:,]?\s+(?:it|this|that)\s+"
    r"(?:is|must\s+be)\s+"
    r"|^[ \t]*####[ \t]*",
    re.I | re.M,
)
_CORRECT = (
    r"(?:is|are|was|must\s+be|seems|would\s+be|has\s+to\s+be)\s+(?:(?:clearly|indeed|thus|also|"
    r"therefore|obviously|definitely|probably|most\s+likely)\s+)?(?:the\s+)?(?:only\s+)?(?:most\s+)?"
    r"(?:correct|right|best|true|answer|appropriate|accurate|valid)\b"
)
_WRONG = (
    r"(?:is|are|was|were|would\s+be|seems?|looks?|can(?:not|'t)|could\s*n[o']t|does|do|has|have)\s*"
    r"(?:both\s+|all\s+|clearly\s+|also\s+|therefore\s+|thus\s+)?(?:\*\*)?"
    r"(?:not\b|n't|incorrect|wrong|false|invalid|impossible|out\b|traps?\b|distractors?\b|be\b|"
    r"ruled|eliminated|excluded|a\s+(?:common\s+)?(?:trap|distractor)|irrelevant|unlikely)"
)
_WRONGLY = re.compile(
    rf"[)\].:*]*\s*{_WRONG}|[)\].*]*\s?[:–—-]\s?(?:incorrect|wrong|false|no)\b", re.I
)
_DENIAL = re.compile(
    r"(?:\b(?:not|neither|nor|never|than|except|without|unlike|eliminates?|exclud(?:e|es|ing)|"
    r"instead\s+of|rules?\s+out|ruling\s+out|reject(?:s|ing)?)|n't)\s+(?:be\s+|necessarily\s+)?"
    r"(?:option\s+|choice\s+|answer\s+|letter\s+)?[(\[*]*$",
    re.I,
)
_JOINED = re.compile(
    r"[)\].:*]*\s*(?:,\s*(?:and|or)?|and/or|and|or|&|/|\+)\s*(?:also\s+)?(?:option\s+|choice\s+)?"
    r"[(\[*]*$",
    re.I,
)
_VERB = re.compile(
    r"[)\].:*]*\s*(?:both\s+)?(?:is|are|was|were|would|could|can|cannot|do|does|has|have|seem|fail)"
    r"\b",
    re.I,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_DECORATION = r"[\s(\[{*_$\"'“‘`]{0,12}"


@dataclass(frozen=True, slots=True)
class _Named:
    """A label within a text."""

    label: str
    start: int
    end: int
    denied: bool


def choice(text: str, labels: tuple[str, ...], boxed: str | None, truncated: bool) -> str | None:
    """Return the label that is chosen, as it was written; ``boxed`` is the last box's content."""
    if boxed is not None:
        verdict = _stated(TEXT_COMMAND.sub(r"\1", boxed), labels, box=True)
        if verdict is not None:
            return boxed if choice_key(boxed) == choice_key(verdict) else verdict or None
    for span in _statements(text, labels):
        verdict = _stated(span, labels)
        if verdict is not None:
            return verdict or None
    if truncated:
        return None
    return _begun_with(text, labels) or _last_named(text, labels)


def _statements(text: str, labels: tuple[str, ...]) -> list[str]:
    """Return what is stated, the last statement first."""
    found = [(mark.end(), _sentence(text, mark.end())) for mark in _MARKED.finditer(text)]
    for said in _correct(labels).finditer(text):
        if not _DENIAL.search(text[max(0, said.start() - 40) : said.start()]):
            found.append((said.start(), said["label"] or said["second"]))
    return [span for _, span in sorted(found, key=lambda pair: -pair[0])]


def _sentence(text: str, start: int) -> str:
    """Return the sentence that begins there, of at most 400 characters, on its first line."""
    span = text[start : start + 400].lstrip()
    line = span.split("\n", 1)[0]
    after = re.match(r"\W{0,4}\w{1,3}[).:]\s", line)  # 'B. Paris' is one
    end = _SENTENCE_END.search(line, after.end() if after else 0)
    return line[: end.start()] if end else line


def _stated(span: str, labels: tuple[str, ...], *, box: bool = False) -> str | None:
    """Return the one label that a span states, "" if it states several, ``None`` if none."""
    bare = EMPHASIS.sub("", span).strip()
    key = choice_key(bare)
    if any(key == choice_key(label) for label in labels) or (
        not labels and re.fullmatch("c:[A-Z]", key)
    ):
        return bare
    first = _leading(labels).match(bare)
    if first and not _WRONGLY.match(bare, first.end("label")):
        follows = _follower(bare, first, labels)
        if follows != "denied":
            return "" if follows else first["label"]
    if box and "\\" in bare:
        return None
    named = [name for name in _named(bare, labels) if not name.denied]
    chosen = dict.fromkeys(choice_key(name.label) for name in named)
    if not chosen:
        return None
    return named[0].label if len(chosen) == 1 else ""


def _follower(text: str, first: re.Match[str], labels: tuple[str, ...]) -> str:
    """Return 'several' if a list of labels goes on: 'A, C', 'A and C', 'A) 5 and C) 6'.

    Return 'denied' if the list is denied: 'A and C are wrong'.
    """
    text = text[first.end("label") :][:200]
    for name in _named(text, labels):
        between, rest = text[: name.start], text[name.end :]
        if choice_key(name.label) == choice_key(first["label"]):
            continue
        if _JOINED.fullmatch(between):
            if _WRONGLY.match(rest):
                return "denied"
            if not _VERB.match(rest):
                return "several"
        labelled = re.match(r"[)\]]", rest) and _JOINED.search(between) and ";" not in between
        if labelled and not name.denied:
            return "several"
    return ""


def _begun_with(text: str, labels: tuple[str, ...]) -> str | None:
    """Return the label at the start of the reply, unless others are set off as well."""
    begun = None
    for line in map(str.strip, text.splitlines()):
        found = _leading(labels).match(line)
        if found is None:
            if begun is None and line:
                return None
        elif begun is None:
            if _WRONGLY.match(line, found.end("label")) or _follower(line, found, labels):
                return None
            rest = line[found.end("label") :][:400]
            if any(rest[name.end :][:1] in (":", ")") for name in _named(rest, labels)):
                return None
            begun = found["label"]
        elif choice_key(found["label"]) != choice_key(begun):
            return None
    return begun


def _last_named(text: str, labels: tuple[str, ...]) -> str | None:
    named = _named(text, labels)
    chosen = [name for name in named if not name.denied]
    if not chosen:
        return None
    last = chosen[-1]
    for name in chosen[-2::-1]:
        between = text[name.end : last.start]
        if choice_key(name.label) != choice_key(last.label) and _JOINED.fullmatch(between):
            return None  # 'A and C'
        break
    return last.label


def _named(text: str, labels: tuple[str, ...]) -> list[_Named]:
    """Return each label that stands alone, and if it is denied."""
    found: list[_Named] = []
    for name in _label(labels).finditer(text):
        before = text[max(0, name.start() - 60) : name.start()]
        after = text[name.end() : name.end() + 80]
        denied = bool(_DENIAL.search(before)) or bool(_WRONGLY.match(after))
        near = bool(found) and name.start() - found[-1].end <= 40
        joined = near and _JOINED.fullmatch(text, found[-1].end, name.start())
        if joined and found[-1].denied:
            denied = True  # 'not A or B'
        elif joined and _WRONGLY.match(after):  # 'A and B are wrong'
            found[-1] = _Named(found[-1].label, found[-1].start, found[-1].end, True)
        found.append(_Named(name[0], name.start(), name.end(), denied))
    return found


def _parts(labels: tuple[str, ...]) -> tuple[list[str], str]:
    """Return the patterns of labels that are words, and the letters or digits of the others."""
    bare = sorted((x.strip("(). ") for x in labels), key=len, reverse=True)
    words = [f"(?i:{re.escape(x)})" for x in bare if len(x) > 1]
    letters = re.escape("".join(x for x in bare if len(x) == 1)) if labels else "A-Z"
    return words, letters


@lru_cache(64)
def _label(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Match a label that stands alone: words in any case, letters in upper case or in brackets.

    'A good one' and 'I think' are an article and a pronoun, unless 'option' precedes them.
    """
    parts, letters = _parts(labels)
    if letters:
        named = "option |choice |Option |Choice |answer |letter "
        before = "|".join(f"(?<={word})" for word in named.split("|"))
        parts += [
            rf"(?:{before})(?i:[{letters}])(?!\s[a-z]+ly)",
            rf"(?<=\()(?i:[{letters}])(?=\))",
            rf"(?![AI] (?!is\b|and\b|or\b|nor\b|are\b|was\b|but\b)[a-z])[{letters}]",
        ]
    return re.compile(rf"(?<![\w'])(?:{'|'.join(parts) or '(?!)'})(?![\w'’])")


@lru_cache(64)
def _leading(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Match a label at the start of a text, in any case, that is set off from what follows."""
    words, letters = _parts(labels)
    one = [*words, *([f"(?i:[{letters}])"] if letters else [])]
    return re.compile(
        rf"{_DECORATION}(?i:(?:option|choice|answer|letter)\s{{1,3}})?[(\[*]{{0,3}}"
        rf"(?P<label>{'|'.join(one) or '(?!)'})"
        r"(?:[*_)\]}$\"'”’`]{1,8}(?!\w)|[.:,;](?!\w)|\s{0,9}$"
        r"|\s{1,3}(?=[-–—(,;:=]|and\b|or\b|because\b|since\b|as\b))"
    )


@lru_cache(64)
def _correct(labels: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<label>{_label(labels).pattern})[)\].:*\"]*\s+{_CORRECT}"
        rf"|(?<![\w'])(?:[iI]t|[tT]hat|[tT]his)(?:'s|\s+is|\s+must\s+be)\s+[(\[*]*"
        rf"(?:[oO]ption\s+|[cC]hoice\s+)?(?P<second>{_label(labels).pattern})"
    )

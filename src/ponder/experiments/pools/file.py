"""Pools: recorded samples per problem, as JSON Lines. ``docs/pools.md`` is the format.

Reading is a stream, one problem at a time, and strict: a line that breaks the format is an error
that names the line, unless the caller asks to skip it. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from ponder.core.errors import PonderError, UsageError
from ponder.core.problem import ANSWER_TYPES, AnswerType
from ponder.experiments.pools.samples import FORMAT, SCORE, Entry, Header, Sample
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.files import first_character, open_regular, raw_rows, replaced

LINE_LIMIT = 256 << 20
"""Most bytes of a line, which is one problem with all of its samples."""
MOST = 1e100
"""Bound of scores and amounts, so that sums and squares of them are finite."""


class BrokenLine(ValueError):
    """The fault of one line; the reader adds the line number."""


class Pool:
    """A pool file. Iterating reads it from the start, problem by problem.

    ``skipped`` are the numbers of the broken lines that the last iteration left out.

    Raises:
        UsageError: the file cannot be read, is empty or not a pool, or (while iterating) has a
            broken line, a problem twice, or samples of several models not named in the header.
    """

    def __init__(self, path: Path | str, *, skip_broken: bool = False) -> None:
        self.path = Path(path)
        self._skip = skip_broken
        self.skipped: list[int] = []
        self.header = Header()
        for _, line in _lines(self.path):
            self.header = _first(line) or self.header
            break
        else:
            raise UsageError(f"{self.path} is empty: a pool has one problem per line.")

    def __iter__(self) -> Iterator[Entry]:
        self.skipped = []
        seen: set[str] = set()
        for number, line in _lines(self.path):
            try:
                value = loads(line)
                header = _header(value)
                entry = None if header else entry_from(value)
                if entry and entry.problem_id in seen:
                    raise BrokenLine(f"problem {entry.problem_id!r} has a line already")
            except BrokenLine as error:
                if self._skip:
                    self.skipped.append(number)
                    continue
                raise self._refusal(number, error) from None
            if header is not None and header.source != self.header.source:
                raise UsageError(
                    f"{self.path} mixes models: line {number} goes on with {header} after "
                    f"{self.header}; keep one pool per model, or join them with "
                    "'ponder pool merge --mixed'."
                )
            if entry is not None:
                seen.add(entry.problem_id)
                yield entry
        if not seen and self.skipped:
            raise UsageError(f"{self.path} is not a pool: no line of it is a problem with samples.")
        if not seen:
            raise UsageError(f"{self.path} is empty: it has a header and no problem.")

    def _refusal(self, number: int, error: BrokenLine) -> UsageError:
        if number == 1:
            return UsageError(
                f"{self.path} is not a pool: line 1 is neither a header nor a problem with "
                f"samples ({error})."
            )
        return UsageError(
            f"{self.path}, line {number}: {error}; repair it, or leave out broken lines "
            "with --skip-broken."
        )


# Reading ------------------------------------------------------------------------------------------

_HEADER_FIELDS = {
    "pool",
    "model",
    "file_sha256",
    "file_hash",
    "sampling",
    "prompt",
    "versions",
    "seed",
}
_TYPES: dict[str, Any] = {
    "suite": str | None,
    "file_sha256": str | None,
    "merged": tuple[Mapping[str, Any], ...] | None,
}
"""Header fields that Ponder uses; the others are only kept."""
_SAMPLE_FIELDS = {
    "answer", "correct", "score", "tokens", "prompt_tokens", "seconds", "usd", "key", "cut", "text",
    "verified", "reasoning",
}  # fmt: skip
_ENTRY_FIELDS = {"problem_id", "gold", "answer_type", "level", "samples"}


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) of each line that is not blank."""
    try:
        with open_regular(path, "the pool") as file:
            if first_character(file) not in (b"{", b""):
                raise UsageError(
                    f"{path} is not a pool: it does not start with a JSON object (to read another "
                    "format, see 'ponder pool import')."
                )
            yield from raw_rows(file, path, LINE_LIMIT)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from None


def loads(line: bytes) -> dict[str, Any]:
    """Return the JSON object in a line.

    Raises:
        BrokenLine: there is none.
    """
    try:
        value = parse(line)
    except Malformed as error:
        raise BrokenLine(str(error)) from None
    if not isinstance(value, dict):
        raise BrokenLine("not a JSON object")
    return value


def _first(line: bytes) -> Header | None:
    try:
        return _header(loads(line))
    except BrokenLine:
        return None  # iterating raises the error


def _header(value: dict[str, Any]) -> Header | None:
    """Return the header in a line, or None for any other line."""
    if "samples" in value or "problem_id" in value or not _HEADER_FIELDS & value.keys():
        return None
    rest = {name: item for name, item in value.items() if name not in ("pool", "model")}
    version, model = value.get("pool", FORMAT), value.get("model")
    if not isinstance(version, int) or version > FORMAT:
        raise BrokenLine(f"format {version!r} is newer than this Ponder's {FORMAT}: update Ponder")
    models = [] if model is None else model if isinstance(model, list) else [model]
    if not all(isinstance(name, str) for name in models):
        raise BrokenLine(f"the header's 'model' must be a name, not {shown(model)}")
    for name, kind in _TYPES.items():
        try:
            decode(kind, rest.get(name), f"the header's {name!r}")
        except Malformed as error:
            raise BrokenLine(str(error)) from None
    return Header(tuple(models), rest)


def shown(value: Any) -> str:
    """Return a value as an error message quotes it: short."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def entry_from(value: dict[str, Any]) -> Entry:
    """Return the problem in a line, checked.

    Raises:
        BrokenLine: the line breaks the format.
    """
    for name in ("problem_id", "samples"):
        if name not in value:
            raise BrokenLine(f"it has no '{name}'")
    name, samples, level = value["problem_id"], value["samples"], value.get("level")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise BrokenLine(f"'problem_id' must be a string, not {shown(name)}")
    if not isinstance(samples, list):
        raise BrokenLine(f"'samples' must be a list, not {shown(samples)}")
    kind = value.get("answer_type", "text")
    if kind not in ANSWER_TYPES:
        raise BrokenLine(f"'answer_type' must be one of {', '.join(ANSWER_TYPES)}, not {kind!r}")
    if level is not None and (isinstance(level, bool) or not isinstance(level, str | int | float)):
        raise BrokenLine(f"'level' must be a string or a number, not {shown(level)}")
    read = []
    for i, sample in enumerate(samples, 1):
        try:
            read.append(sample_from(sample))
        except BrokenLine as error:
            raise BrokenLine(f"sample {i}: {error}") from None
    extra = {k: v for k, v in value.items() if k not in _ENTRY_FIELDS}
    answer_type = cast(AnswerType, kind)
    return Entry(str(name), value.get("gold"), answer_type, tuple(read), level, extra)


def sample_from(value: Any) -> Sample:
    """Return one sample, checked.

    Raises:
        BrokenLine: the sample breaks the format.
    """
    if not isinstance(value, dict):
        raise BrokenLine(f"not a JSON object but {shown(value)}")
    if "answer" not in value:
        raise BrokenLine("it has no 'answer' (null if there is none)")
    answer, correct = value["answer"], value.get("correct")
    if answer is not None and type(answer) is not str:
        if type(answer) not in (int, float):
            raise BrokenLine(f"'answer' must be a string or null, not {shown(answer)}")
        answer = str(answer)
    if correct is not None and type(correct) is not bool:
        if correct not in (0, 1):
            raise BrokenLine(f"'correct' must be true or false, not {shown(correct)}")
        correct = bool(correct)
    for name in ("key", "text", "reasoning"):
        if (text := value.get(name)) is not None and type(text) is not str:
            raise BrokenLine(f"'{name}' must be a string, not {shown(text)}")
    return Sample(
        answer,
        correct,
        _scores(value.get("score")),
        _amount(value, "tokens"),
        _amount(value, "prompt_tokens"),
        _amount(value, "seconds"),
        _amount(value, "usd"),
        value.get("key"),
        bool(value.get("cut")),
        value.get("text"),
        _verified(value.get("verified")),
        {k: v for k, v in value.items() if k not in _SAMPLE_FIELDS} if len(value) > 2 else {},
        value.get("reasoning") or "",
    )


def _scores(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    named = value if isinstance(value, dict) else {SCORE: value}
    for name, score in named.items():
        if score is not None and not _is_number(score):
            what = "'score'" if named is not value else f"the score {name!r}"
            raise BrokenLine(f"{what} must be a finite number, not {shown(score)}")
    return {name: score for name, score in named.items() if score is not None}


def _verified(value: Any) -> dict[str, dict[str, float]]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(costs, dict) for costs in value.values()):
        raise BrokenLine(f"'verified' must be an object of objects, not {shown(value)}")
    return {
        name: {unit: _amount(costs, unit) or 0.0 for unit in costs} for name, costs in value.items()
    }


def _amount(value: dict[str, Any], name: str) -> float | None:
    amount = value.get(name)
    if amount is not None and (not _is_number(amount) or amount < 0):
        raise BrokenLine(f"'{name}' must be a number, zero or more, not {shown(amount)}")
    return cast("float | None", amount)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= MOST


# Writing ------------------------------------------------------------------------------------------


def write(path: Path | str, header: Header | None, entries: Iterable[Entry]) -> tuple[int, int]:
    """Write a pool, completely or not at all; returns its numbers of problems and samples."""
    problems = samples = 0

    def lines() -> Iterator[bytes]:
        nonlocal problems, samples
        if header is not None:
            yield _dumps(header.to_json())
        for entry in entries:
            problems, samples = problems + 1, samples + len(entry.samples)
            yield _dumps(entry.to_json())

    try:
        replaced(Path(path), lines())
    except OSError as error:
        raise PonderError(f"cannot write {path}: {error.strerror or error}.") from None
    return problems, samples


def _dumps(value: Any) -> bytes:
    try:
        return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # a lone surrogate, which a foreign pool may have
        return (json.dumps(value, allow_nan=False) + "\n").encode()
    except ValueError:
        raise UsageError("a pool cannot hold a number that is not finite: remove it.") from None
